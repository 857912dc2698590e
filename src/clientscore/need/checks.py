"""What a forecast of need is learned from: events, amounts, one currency, one unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore._words import NEED
from clientscore.exceptions import DataError

from .groups import size_column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CURRENCY = "currency"
_LEVELS = (0.005, 0.5, 0.995)
_JUMP = np.log(200.0)  # between two medians: no market moves so far, a thousandfold does
_LEAST_ROWS = 30  # fewer rows have no median to speak of
_SIZE_RATIO = (2e-4, 20.0)  # a drawing over the client's size: the median lies inside
_FAR_SHARE = 0.05  # of amounts above 20 times the size


def check_context(context: pd.DataFrame | None, X: pd.DataFrame) -> None:
    """Raise unless the context, where there is one, is a frame on the index of X."""
    if context is not None and not (isinstance(context, pd.DataFrame) and context.index.equals(X.index)):
        raise DataError("context must be a DataFrame on the index of X; reindex one to the other.")


def events(event: pd.Series) -> NDArray[Any]:
    """Return "need", "exit" or None."""
    values = event.to_numpy(dtype=object)
    censored = event.isna().to_numpy() | (values == "") | (values == 0)
    if not (values == NEED).any():
        raise DataError(
            f"event must hold {NEED!r} at least once; got none in {len(values)} rows. "
            "Check which events the schema counts as drawings."
        )
    kinds = np.full(len(values), "exit", dtype=object)
    kinds[values == NEED] = NEED
    kinds[censored] = None
    return kinds


def amount_rows(event: NDArray[Any], amount: pd.Series) -> NDArray[np.int64]:
    """Rows of needs with a known amount."""
    values = pd.to_numeric(amount, errors="coerce").to_numpy(np.float64)
    needs = event == NEED
    text = int((np.isnan(values) & amount.notna().to_numpy()).sum())
    low = int((needs & (values <= 0)).sum())
    endless = int(np.isinf(values).sum())
    faults = [
        f"{count} {words}"
        for count, words in (
            (text, "not a number"),
            (low, "zero or negative: a drawing is new money, repayments are left out"),
            (endless, "infinite"),
        )
        if count
    ]
    if faults:
        raise DataError("amount must be a number above 0 in every row with a need.", faults)
    return np.flatnonzero(needs & ~np.isnan(values))


def one_currency(frames: Mapping[str, pd.DataFrame]) -> str | None:
    """Return the one currency that the frames name, None where none does; several are an error."""
    counts: dict[str, dict[str, int]] = {}
    for subject, frame in frames.items():
        if CURRENCY in frame:
            counts[subject] = frame[CURRENCY].dropna().astype(str).value_counts().to_dict()
    names = {name for found in counts.values() for name in found}
    if len(names) > 1:
        faults = [
            f"{subject}: {', '.join(f'{name} in {n} rows' for name, n in found.items())}"
            for subject, found in counts.items()
        ]
        raise DataError(
            f"amounts must be in one currency; got {', '.join(sorted(names))}. Convert them to that of the "
            "schema first.",
            faults,
        )
    return names.pop() if names else None


def check_currency(found: object, known: str | None) -> None:
    """Raise when clients to forecast are in another currency than training."""
    names = {str(name) for name in pd.unique(pd.Series(found).dropna())}
    strange = sorted(names - {known})
    if known is not None and strange:
        raise DataError(f"currency must be {known} as in training; got {', '.join(strange)}. Convert first.")


def check_size(X: pd.DataFrame, amount: Floats) -> None:
    """Raise when amounts and the size of their clients cannot be in one unit."""
    column = size_column(X)
    if column is None or len(amount) < _LEAST_ROWS:
        return
    size = X[column].to_numpy(np.float64, na_value=np.nan)
    size = np.exp(size) if column.startswith("log_") else size
    ratio = amount[size > 0] / size[size > 0]
    if len(ratio) < _LEAST_ROWS:
        return
    low, high = _SIZE_RATIO
    middle, far = float(np.median(ratio)), float((ratio > high).mean())
    if low <= middle <= high and far <= _FAR_SHARE:
        return
    raise DataError(
        f"amounts and {column} must be in one unit; amounts are {middle:.2g} times the size in the median, "
        f"and more than {high:g} times in {far:.0%} of {len(ratio)} needs. Are some in thousands? If "
        f"{column} is no size in the amounts' unit (or no natural logarithm), set check_units=False."
    )


class InputRange(NamedTuple):
    """Quantiles (.5, 50 and 99.5 %) of the numbers that the model was trained on.

    Parameters
    ----------
    names : list of str
        Features.
    quantiles : ndarray of shape (n_features, 3)
        Missing where training held no number.
    """

    names: list[str]
    quantiles: Floats

    @classmethod
    def of(cls, X: pd.DataFrame) -> InputRange:
        """Return the range of every feature that is a number."""
        names = [str(name) for name in X.columns if pd.api.types.is_numeric_dtype(X[name].dtype)]
        return cls(names, np.array([_quantiles(X[name]) for name in names]).reshape(-1, len(_LEVELS)))

    def shifts(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the features whose median lies outside the range, one line each.

        Columns feature, kind ("unit": an amount a factor of 200 or more away; else "shift"), rows, median,
        training_low, training_median, training_high.
        """
        columns = ["feature", "kind", "rows", "median", "training_low", "training_median", "training_high"]
        table = pd.DataFrame(self._lines(X), columns=columns)
        return table.astype({"feature": "str", "kind": "str", "rows": "int64"})

    def check_units(self, X: pd.DataFrame) -> None:
        """Raise when an amount of the clients is in another unit than in training."""
        faults = [
            f"{name}: median {median:.4g}, {middle:.4g} in training"
            for name, kind, _, median, _, middle, _ in self._lines(X, amounts_only=True)
            if kind == "unit"
        ]
        if faults:
            raise DataError(
                "amounts must be in the unit of training; they lie a factor of 200 or more away. Are they in "
                "thousands? If they are right, set check_units=False.",
                faults,
            )

    def _lines(
        self, X: pd.DataFrame, *, amounts_only: bool = False
    ) -> list[tuple[str, str, int, float, float, float, float]]:
        """Return the lines of `shifts`."""
        lines = []
        for name, (low, middle, high) in zip(self.names, self.quantiles.tolist(), strict=True):
            amount = name.startswith("log_") or name.endswith("_amount")
            if name not in X or (amounts_only and not amount):
                continue
            values = pd.to_numeric(X[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
            values = values[np.isfinite(values)]
            if len(values) < _LEAST_ROWS:
                continue
            median = float(np.median(values))
            if low <= median <= high or np.isnan(low):
                continue
            kind = "unit" if amount and _apart(name, median, middle) >= _JUMP else "shift"
            lines.append((name, kind, len(values), median, low, middle, high))
        return lines


def _quantiles(column: pd.Series) -> Floats:
    values = column.to_numpy(np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    return np.quantile(values, _LEVELS) if len(values) else np.full(len(_LEVELS), np.nan)


def _apart(name: str, one: float, other: float) -> float:
    """Return the distance of two medians in logs."""
    if name.startswith("log_"):
        return abs(one - other)
    return abs(np.log(one / other)) if one > 0 and other > 0 else 0.0


def censor_elsewhere(target: pd.DataFrame, periods: pd.Series) -> pd.DataFrame:
    """Censor the clients whose need was met by another lender first.

    Need is need met here: what others lend is not seen.  Where a credit bureau or a register of pledges shows
    a loan elsewhere, the client's own need was met then, and counting it as none would teach the model that
    such clients need no money.

    Parameters
    ----------
    target : DataFrame of shape (n, at least 2)
        duration and event, and where there are, amount and product; as from `labels.need_target`.
    periods : Series of shape (n,)
        On the index of `target`: the period of the window (at least 1) in which the other loan appears;
        missing where none does.

    Returns
    -------
    DataFrame
        A copy; where the other loan came in a period before the client's own event, duration is that
        period, and event, amount and product are missing.

    Raises
    ------
    DataError
        When `periods` is not on the index of `target`, or a period is below 1.

    Examples
    --------
    >>> target = pd.DataFrame({"duration": [12, 5], "event": [None, "need"], "amount": [None, 7.0]})
    >>> censor_elsewhere(target, pd.Series([4.0, 9.0]))["duration"].tolist()
    [4, 5]
    """
    if not target.index.equals(periods.index):
        raise DataError("periods must have the index of target. Reindex it: periods.loc[target.index].")
    when = periods.to_numpy(np.float64, na_value=np.nan)
    if (when < 1).any():
        raise DataError(f"periods must be at least 1, inside the window; got {np.nanmin(when):g}.")
    first = when < target["duration"].to_numpy(np.float64)
    censored = target.copy()
    censored["duration"] = np.where(first, np.nan_to_num(when), target["duration"]).astype(np.int64)
    for name in ("event", "amount", "product"):
        if name in censored:
            censored[name] = censored[name].mask(first)
    return censored
