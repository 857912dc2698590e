"""Specialized lending without PDs: points to supervisory categories with given weights."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_interval
from clientscore.exceptions import DataError, PolicyError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

_FIGURES = ("risk_weight", "risk_weight_short", "expected_loss", "expected_loss_short")


@dataclass(frozen=True)
class SlottingTable:
    """Categories of specialized lending by points, with risk weight and expected loss by maturity.

    Higher points are better.  The weights of :meth:`default` are those of the regulation; the thresholds are
    the bank's own.

    Parameters
    ----------
    categories : tuple of str
        Best first; the last is default, which no points reach.
    thresholds : tuple of float
        Least points of each category but the last two (below them all lies the worst performing one):
        falling, finite.
    risk_weight, risk_weight_short : tuple of float
        Of each category, >= 0, as fractions: 0.7 is 70 %; "short" for a remaining maturity below
        `short_maturity_years`.
    expected_loss, expected_loss_short : tuple of float
        Of each category, in [0, 1], likewise.
    short_maturity_years : float, default 2.5
        Remaining maturity from which the longer weights apply, > 0.

    Raises
    ------
    PolicyError
        If the table contradicts itself; all faults are listed.

    References
    ----------
    Regulation (EU) No 575/2013 (CRR), Article 153(5) Table 1 and Article 158(6) Table 2.

    Examples
    --------
    >>> table = SlottingTable.default(thresholds=(80, 60, 40))
    >>> table.slot([85.0, 45.0], maturity_years=[2.0, 2.0])
           category  risk_weight  expected_loss
    0        strong         0.50          0.000
    1  satisfactory         1.15          0.028
    """

    categories: tuple[str, ...]
    thresholds: tuple[float, ...]
    risk_weight: tuple[float, ...]
    risk_weight_short: tuple[float, ...]
    expected_loss: tuple[float, ...]
    expected_loss_short: tuple[float, ...]
    short_maturity_years: float = 2.5

    def __post_init__(self) -> None:
        check_interval("short_maturity_years", self.short_maturity_years, low=0, closed="neither")
        for name in ("categories", "thresholds", *_FIGURES):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        faults = []
        n = len(self.categories)
        if n < 3 or len({*self.categories}) != n:
            faults.append(f"categories must be 3 or more, each its own; got {self.categories}")
        if len(self.thresholds) != n - 2:
            faults.append(f"{n} categories need {n - 2} thresholds; got {len(self.thresholds)}")
        if not np.isfinite(self.thresholds).all() or any(a <= b for a, b in pairwise(self.thresholds)):
            faults.append(f"thresholds must be finite and fall, best category first; got {self.thresholds}")
        for name in _FIGURES:
            values, most = getattr(self, name), 1.0 if name.startswith("expected") else np.inf
            if len(values) != n or not all(0 <= value <= most for value in values):
                faults.append(f"{name} needs {n} values from 0 to {most:g}; got {values}")
        if faults:
            raise PolicyError("The slotting table cannot be used.", faults)

    @classmethod
    def default(cls, thresholds: Sequence[float]) -> SlottingTable:
        """Return the weights of the regulation with the bank's own thresholds, strong to satisfactory."""
        text = resources.files(__package__).joinpath("slotting.toml").read_text(encoding="utf-8")
        return cls._from_tree(tomllib.loads(text), thresholds)

    @classmethod
    def from_toml(
        cls, path: str | os.PathLike[str], thresholds: Sequence[float] | None = None
    ) -> SlottingTable:
        """Read a table written like ``scale/slotting.toml``; its `thresholds` count unless given here."""
        try:
            tree = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise PolicyError(f"{path} must be TOML; {error}.") from error
        return cls._from_tree(tree, thresholds)

    @classmethod
    def _from_tree(cls, tree: Mapping[str, Any], thresholds: Sequence[float] | None) -> SlottingTable:
        rows = tree.get("category", [])
        wanted = {"name", *_FIGURES}
        faults = [
            f"category {number} must hold {', '.join(sorted(wanted))}; got {', '.join(sorted(row))}"
            for number, row in enumerate(rows, 1)
            if set(row) != wanted
        ]
        strange = set(tree) - {"category", "thresholds", "short_maturity_years"}
        faults += [f"{key!r} is no key of a slotting table" for key in sorted(strange)]
        if thresholds is None and "thresholds" not in tree:
            faults.append("thresholds are missing: give them in the file or to this call")
        if faults:
            raise PolicyError("The slotting table cannot be read.", faults)
        return cls(
            categories=tuple(row["name"] for row in rows),
            thresholds=tuple(tree["thresholds"] if thresholds is None else thresholds),
            **{name: tuple(float(row[name]) for row in rows) for name in _FIGURES},
            short_maturity_years=tree.get("short_maturity_years", 2.5),
        )

    def slot(
        self, points: ArrayLike, maturity_years: ArrayLike, defaulted: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return the category, risk weight and expected loss of each exposure.

        Parameters
        ----------
        points : Series or array of shape (n,)
            Points, higher is better; a category holds its own threshold.
        maturity_years : float or array of shape (n,)
            Remaining maturity, >= 0.
        defaulted : array of bool of shape (n,), default None
            Exposures in default, whatever their points.

        Returns
        -------
        DataFrame
            category, risk_weight and expected_loss (fractions of the exposure value), on the index of
            `points`; all missing where the points (of an exposure not in default) or the maturity are.

        Raises
        ------
        DataError
            If lengths differ or a maturity is negative.
        """
        values = np.asarray(points, dtype=float)
        years = np.broadcast_to(
            np.asarray(maturity_years, dtype=float), np.shape(maturity_years) or values.shape
        )
        bad = np.zeros(len(values), dtype=bool) if defaulted is None else np.asarray(defaulted, dtype=bool)
        if not values.shape == years.shape == bad.shape:
            raise DataError(
                "points, maturity_years and defaulted must have one length; got "
                f"{values.size}, {years.size}, {bad.size}."
            )
        if (years < 0).any():
            raise DataError(f"maturity_years must be >= 0; {int((years < 0).sum())} of {len(years)} are not.")
        rank = len(self.thresholds) - np.searchsorted(self.thresholds[::-1], values, side="right")
        rank = np.where(bad, len(self.categories) - 1, rank)
        short = years < self.short_maturity_years
        unknown = (np.isnan(values) & ~bad) | np.isnan(years)
        names = np.array(self.categories, dtype=object)[rank]
        names[unknown] = None
        index = points.index if isinstance(points, pd.Series) else None
        found: dict[str, Any] = {"category": pd.Series(names, index=index, dtype="str")}
        for name in ("risk_weight", "expected_loss"):
            longer, shorter = np.array(getattr(self, name)), np.array(getattr(self, f"{name}_short"))
            weight = np.where(short, shorter[rank], longer[rank])
            found[name] = np.where(unknown, np.nan, weight)
        return pd.DataFrame(found, index=index)

    def frame(self) -> pd.DataFrame:
        """Return one row a category: points_from, then the weights."""
        least = [*self.thresholds, -np.inf, np.nan]
        figures = {name: list(getattr(self, name)) for name in _FIGURES}
        return pd.DataFrame({"category": list(self.categories), "points_from": least, **figures})

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data."""
        lists = {name: list(getattr(self, name)) for name in ("categories", "thresholds", *_FIGURES)}
        return lists | {"short_maturity_years": self.short_maturity_years}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> SlottingTable:
        """Build the table from :meth:`to_dict`."""
        return cls(**state)
