"""The rows that an effect is estimated from: outcome, treatment, client; all faults told at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ARMS = ("control", "treated")


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows without gaps: `treatment` 0 or 1, `clients` numbered from 0."""

    outcome: Floats
    treatment: Floats
    clients: Ints

    @property
    def n_rows(self) -> int:
        return len(self.outcome)

    @property
    def n_clients(self) -> int:
        return int(self.clients.max()) + 1

    def arm(self, value: int) -> NDArray[np.bool_]:
        """Tell which rows are treated (1), or not (0)."""
        return np.asarray(self.treatment == value)


def sample_of(
    outcome: ArrayLike,
    treatment: ArrayLike,
    clients: ArrayLike | None = None,
    *,
    min_clients: int = 2,
    subject: str = "the effect",
) -> Sample:
    """Check and return the rows.

    Raises
    ------
    DataError
        With every fault: lengths that differ, missing outcomes, a treatment that is not 0 or 1, an arm that
        is absent or has fewer than `min_clients` clients.
    """
    check_integer("min_clients", min_clients, low=2)
    faults: list[str] = []
    y = numbers(outcome, "outcome", faults)
    t = numbers(treatment, "treatment", faults)
    groups = client_codes(clients, len(y), faults)
    if len(t) != len(y):
        faults.append(f"treatment must have {len(y)} rows like outcome; got {len(t)}. Align the rows.")
    elif not faults:
        faults += _arm_faults(t, groups, min_clients)
    if faults:
        raise DataError(f"{subject} cannot be estimated from these rows.", faults)
    return Sample(y, t, groups)


def numbers(values: ArrayLike, name: str, faults: list[str]) -> Floats:
    """Return one column as floats; what is wrong with it goes to `faults`."""
    try:
        plain = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "biuf"
        array = np.asarray(values if plain else pd.Series(values).astype("float64"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        faults.append(f"{name} must hold numbers; {error}. Code it as numbers.")
        return np.zeros(len(pd.Series(values)))
    bad = int((~np.isfinite(array)).sum())
    if not len(array):
        faults.append(f"{name} must have at least one row; got none.")
    if bad:
        faults.append(
            f"{name} must be finite; {bad} of {len(array)} are missing or infinite. Drop these rows and say "
            "how many of each arm they were."
        )
    return array


def client_codes(clients: ArrayLike | None, n_rows: int, faults: list[str]) -> Ints:
    """Return the number of each row's client; every row is a client of its own where none are given."""
    if clients is None:
        return np.arange(n_rows, dtype=np.int64)
    codes: Ints = pd.factorize(pd.Series(np.asarray(clients, dtype=object)))[0].astype(np.int64)
    if len(codes) != n_rows:
        faults.append(f"clients must have {n_rows} rows like outcome; got {len(codes)}. Align the rows.")
        return np.arange(n_rows, dtype=np.int64)
    if (codes < 0).any():
        faults.append(f"clients must not be missing; {int((codes < 0).sum())} rows have none. Name them.")
    return codes


def _arm_faults(treatment: Floats, clients: Ints, min_clients: int) -> list[str]:
    strange = np.setdiff1d(treatment, [0.0, 1.0])
    if len(strange):
        return [f"treatment must be 0 or 1; got {strange[0]:g}. Code the action as 1, its absence as 0."]
    counts = [len(np.unique(clients[treatment == arm])) for arm in (0, 1)]
    empty = [name for name, count in zip(ARMS, counts, strict=True) if not count]
    if empty:
        fault = (
            f"treatment must have both arms; no row is {empty[0]}. Without a comparison there is no effect: "
            "keep control cells, or compare with the time before (difference_in_differences)."
        )
        return [fault]
    return [
        f"the {name} arm must have at least {min_clients} clients; got {count}. Wait for more, or join cells."
        for name, count in zip(ARMS, counts, strict=True)
        if count < min_clients
    ]


def by_client(values: Any, clients: Ints) -> Floats:
    """Return the sums over each client's rows: (n_clients,) or (n_clients, k)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        return np.bincount(clients, array).astype(np.float64)
    return np.column_stack([np.bincount(clients, column) for column in array.T])


def client_folds(sample_clients: Ints, strata: Floats | None, n_folds: int, seed: int) -> Ints:
    """Return the fold of each row: whole clients, those of each stratum spread evenly.

    A client's stratum is the largest value among its rows.
    """
    n_clients = int(sample_clients.max()) + 1
    rng = np.random.default_rng(seed)
    stratum = np.full(n_clients, -np.inf)
    np.maximum.at(stratum, sample_clients, np.zeros(len(sample_clients)) if strata is None else strata)
    fold = np.empty(n_clients, dtype=np.int64)
    fold[np.lexsort((rng.random(n_clients), stratum))] = np.arange(n_clients) % n_folds
    return np.asarray(fold[sample_clients])
