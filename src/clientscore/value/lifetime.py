"""The value of a client over the periods ahead, under all the ways in which it may leave."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SLACK = 1e-9  # by which probabilities may miss their rules in the last digits


def lifetime_value(
    survival: pd.DataFrame,
    default_incidence: pd.DataFrame,
    margin_amount: Any,
    *,
    ead_amount: Any = 0.0,
    lgd: Any = 0.4,
    discount_rate: float = 0.1,
    periods_per_year: int = 12,
) -> pd.DataFrame:
    r"""Value of each client up to the last horizon, under competing exits.

    .. math:: V = \sum_{t=1}^{H} S(t) \, m_t \, d^t
              - \sum_{t=1}^{H} \left[F_D(t) - F_D(t - 1)\right] LGD \cdot EAD_t \, d^t

    with :math:`S` the probability of still being a client, :math:`F_D` the cumulative incidence of default,
    :math:`m_t` the margin of one period and :math:`d = (1 + r)^{-1/p}` for `p` periods a year.  A period's
    margin is earned by those still there at its end, and flows fall at its end; a client that leaves without
    a default costs nothing but its later margins.  Nothing is added for the time after `H`.

    Where columns skip periods, the hazard of leaving and the share of defaults among the exits are taken to
    be constant between two horizons: :math:`S` is interpolated geometrically, and :math:`F_D` grows in
    proportion to the exits.  With a column for every period nothing is interpolated.

    Parameters
    ----------
    survival : DataFrame of shape (n, n_horizons)
        Probability of still being a client, a column a horizon in periods (1, 2, ... or 3, 6, 12), in order.
    default_incidence : DataFrame of shape (n, n_horizons)
        Probability of having defaulted by then, same rows and columns.
    margin_amount : float, Series or DataFrame
        Margin a year after funding and cost, currency units: one for all, one a client, or a column a
        horizon, which holds from the horizon before up to its own.
    ead_amount : float, Series or DataFrame, default 0.0
        Exposure at default, currency units; as `margin_amount`.
    lgd : float or Series, default 0.4
        Loss given default, a fraction of the exposure.
    discount_rate : float, default 0.1
        Yearly rate at which later flows count less, at least 0.
    periods_per_year : int, default 12
        Periods of a year: 12 for months, 4 for quarters, 1 for years.

    Returns
    -------
    DataFrame
        On the index of `survival`, currency units: ``lifetime_value`` and its parts
        ``lifetime_value_margin`` and ``lifetime_value_loss`` (the first minus the second). A missing input
        gives a missing result.

    Raises
    ------
    DataError
        Rows or columns do not agree, or probabilities are none: outside [0, 1], survival rising, incidence
        falling, or the two above 1 together; all faults are listed.
    InvalidParameterError
        Horizons are not whole numbers that increase from at least 1, or a rate is outside its rule.

    References
    ----------
    Gupta, Lehmann and Stuart (2004), Valuing customers, Journal of Marketing Research 41(1), 7-18,
    https://doi.org/10.1509/jmkr.41.1.7.25084 (margins times survival, discounted; here with a loss at
    default, weighted by its cumulative incidence).

    Examples
    --------
    >>> there = pd.DataFrame({1: [0.9], 2: [0.8]}, index=["C1"])
    >>> failed = pd.DataFrame({1: [0.01], 2: [0.03]}, index=["C1"])
    >>> lifetime_value(there, failed, 100.0, ead_amount=500.0, discount_rate=0.0, periods_per_year=1)
        lifetime_value  lifetime_value_margin  lifetime_value_loss
    C1           164.0                  170.0                  6.0
    """
    check_interval("discount_rate", discount_rate, low=0.0, closed="low")
    check_integer("periods_per_year", periods_per_year, low=1)
    horizons = _horizons(survival)
    there, failed = _probabilities(survival, default_incidence)
    yearly = _column_of("margin_amount", margin_amount, survival)
    exposure = _column_of("ead_amount", ead_amount, survival)
    share = _column_of("lgd", lgd, survival)
    _check_amounts(exposure, share)
    discount = (1.0 + discount_rate) ** (-1.0 / periods_per_year)
    margin, loss = np.zeros(len(survival)), np.zeros(len(survival))
    before = np.zeros(len(survival))
    for period, column, alive, gone in _every_period(horizons, there, failed):
        worth = discount**period
        margin += alive * yearly[:, column] / periods_per_year * worth
        loss += (gone - before) * share[:, column] * exposure[:, column] * worth
        before = gone
    parts = {"lifetime_value_margin": margin, "lifetime_value_loss": loss}
    return pd.DataFrame({"lifetime_value": margin - loss, **parts}, index=survival.index)


def _every_period(
    horizons: list[int], there: Floats, failed: Floats
) -> Iterator[tuple[int, int, Floats, Floats]]:
    """Yield every period with the column it belongs to, survival and incidence of default at its end."""
    start, alive, gone = 0, np.ones(len(there)), np.zeros(len(there))
    for column, end in enumerate(horizons):
        then, lost = there[:, column], failed[:, column]
        exits = alive - then
        kept = np.divide(then, alive, out=np.zeros_like(then), where=alive != 0)
        for period in range(start + 1, end):
            part = (period - start) / (end - start)
            now = alive * kept**part
            progress = np.divide(alive - now, exits, out=np.full_like(now, part), where=exits > 0)
            yield period, column, now, gone + (lost - gone) * progress
        yield end, column, then, lost
        start, alive, gone = end, then, lost


def _horizons(survival: pd.DataFrame) -> list[int]:
    if not isinstance(survival, pd.DataFrame) or not survival.shape[1]:
        raise DataError("survival must be a DataFrame with a column a horizon, at least one.")
    for horizon in survival.columns:
        check_integer("The columns of survival", horizon, low=1)
    horizons = [int(horizon) for horizon in survival.columns]
    if any(later <= earlier for earlier, later in pairwise(horizons)):
        raise InvalidParameterError(f"The columns of survival must increase; got {horizons}. Sort them.")
    return horizons


def _probabilities(survival: pd.DataFrame, default_incidence: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return both curves as floats, or say what is wrong with them."""
    _check_like("default_incidence", default_incidence, survival)
    there, failed = survival.to_numpy(np.float64), default_incidence.to_numpy(np.float64)
    rules = {
        "survival lies outside [0, 1]": (there < 0) | (there > 1 + _SLACK),
        "default_incidence lies outside [0, 1]": (failed < 0) | (failed > 1 + _SLACK),
        "survival rises with the horizon": np.diff(there, axis=1) > _SLACK,
        "default_incidence falls with the horizon": np.diff(failed, axis=1) < -_SLACK,
        "survival and default_incidence add to more than 1": there + failed > 1 + _SLACK,
    }
    faults = [
        f"{words} in {int(wrong.any(axis=1).sum())} of {len(there)} rows."
        for words, wrong in rules.items()
        if wrong.any()
    ]
    if faults:
        raise DataError("survival and default_incidence must be probabilities of one model.", faults)
    return there, failed


def _check_like(name: str, frame: Any, survival: pd.DataFrame) -> None:
    """Raise unless a frame has the rows and columns of `survival`."""
    same = isinstance(frame, pd.DataFrame) and frame.index.equals(survival.index)
    if not same or list(frame.columns) != list(survival.columns):
        raise DataError(f"{name} must be a DataFrame with the rows and columns of survival. Reindex it.")


def _column_of(name: str, values: Any, survival: pd.DataFrame) -> Floats:
    """Return a number, one a client, or a frame, as one column a horizon."""
    if isinstance(values, pd.DataFrame):
        _check_like(name, values, survival)
    elif isinstance(values, pd.Series) and not values.index.equals(survival.index):
        raise DataError(f"{name} must have the index of survival. Reindex it: {name}.loc[survival.index].")
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers; {error}.") from error
    if np.isinf(array).any():
        raise DataError(f"{name} must be finite; make unknown amounts missing.")
    if array.ndim == 1 and len(array) == len(survival):
        array = array[:, None]
    elif array.ndim != 0 and array.shape != survival.shape:
        raise DataError(f"{name} must be a number or have {len(survival)} values; got shape {array.shape}.")
    return np.broadcast_to(array, survival.shape)


def _check_amounts(exposure: Floats, lgd: Floats) -> None:
    faults = []
    if (exposure < 0).any():
        faults.append(f"ead_amount is negative in {int((exposure < 0).any(axis=1).sum())} rows.")
    outside = (lgd < 0) | (lgd > 1)
    if outside.any():
        faults.append(
            f"lgd lies outside [0, 1] in {int(outside.any(axis=1).sum())} rows; divide percentages."
        )
    if faults:
        raise DataError("Exposure and loss given default must be amounts and fractions.", faults)
