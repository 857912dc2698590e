"""The formulas: exposure, loss, capital, return, and what a need or a saved client is worth.

Pure functions of columns. Every argument is a number, an array or a Series; Series in, Series out on the same
index. A missing input gives a missing result, never a zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from clientscore._checks import check_interval
from clientscore.exceptions import DataError


def exposure_at_default(drawn: Any, limit: Any, ccf: float = 0.4) -> Any:
    r"""Exposure expected at the moment of default.

    .. math:: EAD = drawn + ccf \cdot \max(limit - drawn, 0)

    Parameters
    ----------
    drawn : float, array or Series
        Drawn amount, currency units.
    limit : float, array or Series
        Committed limit, currency units.
    ccf : float, default 0.4
        Credit conversion factor in [0, 1].

    Returns
    -------
    float, array or Series
        Currency units.

    References
    ----------
    Basel Committee on Banking Supervision (2023), CRE20.94.

    Examples
    --------
    >>> exposure_at_default(60.0, 100.0, ccf=0.5)
    80.0
    """
    _check_rate("ccf", ccf)
    undrawn = limit - drawn
    return drawn + ccf * undrawn * (undrawn > 0)


def expected_loss(pd: Any, lgd: Any, ead: Any) -> Any:
    r"""Return the credit loss expected over the horizon of `pd`.

    .. math:: EL = PD \cdot LGD \cdot EAD

    Parameters
    ----------
    pd, lgd : float, array or Series
        Probability of default and loss given default, fractions in [0, 1].
    ead : float, array or Series
        Exposure at default, currency units.

    Returns
    -------
    float, array or Series
        Currency units.

    Raises
    ------
    DataError
        A rate lies outside [0, 1].

    References
    ----------
    Basel Committee on Banking Supervision (2023), CRE35.2.

    Examples
    --------
    >>> expected_loss(0.02, 0.4, 1000.0)
    8.0
    """
    _check_rate("pd", pd)
    _check_rate("lgd", lgd)
    return pd * lgd * ead


def economic_capital(pd: Any, lgd: Any, ead: Any, maturity_years: float = 2.5) -> Any:
    r"""Capital for unexpected loss by the internal-ratings formula for corporates.

    .. math:: K = LGD \left[N\left(\frac{G(PD) + \sqrt{R} G(0.999)}{\sqrt{1 - R}}\right) - PD\right]
              \frac{1 + (M - 2.5) b}{1 - 1.5 b}

    with the asset correlation :math:`R` between 0.12 and 0.24 and :math:`b = (0.11852 - 0.05478 \ln PD)^2`.
    PD is floored at 0.05 %; a PD of 1 needs no capital for unexpected loss.

    Parameters
    ----------
    pd, lgd : float, array or Series
        Fractions in [0, 1].
    ead : float, array or Series
        Currency units.
    maturity_years : float, default 2.5
        Effective maturity in years, 1 to 5.

    Returns
    -------
    float, array or Series
        Currency units.

    References
    ----------
    Basel Committee on Banking Supervision (2023), CRE31.4 to CRE31.5 and CRE32.3.

    Examples
    --------
    >>> float(round(economic_capital(0.01, 0.45, 100.0) * 12.5, 2))  # the published risk weight, percent
    92.32
    """
    _check_rate("pd", pd)
    _check_rate("lgd", lgd)
    check_interval("maturity_years", maturity_years, low=1.0, high=5.0)
    rate = np.maximum(pd, 0.0005)
    certain = rate >= 1
    safe = np.minimum(rate, 1 - 1e-12)
    share = -np.expm1(-50 * safe) / -np.expm1(-50.0)
    correlation = 0.12 * share + 0.24 * (1 - share)
    slope = (0.11852 - 0.05478 * np.log(safe)) ** 2
    tail = ndtr((ndtri(safe) + np.sqrt(correlation) * ndtri(0.999)) / np.sqrt(1 - correlation))
    maturity = (1 + (maturity_years - 2.5) * slope) / (1 - 1.5 * slope)
    return lgd * (tail - safe) * maturity * (1 - certain) * ead


def raroc(
    income: Any, cost: Any, expected_loss: Any, capital: Any, funding: Any = 0.0, capital_return: Any = 0.0
) -> Any:
    r"""Risk-adjusted return on capital, a year.

    .. math:: RAROC = \frac{income - funding - cost - EL + capital\ return}{capital}

    Parameters
    ----------
    income, cost, expected_loss : float, array or Series
        Currency units a year.
    capital : float, array or Series
        Economic capital, currency units; where it is zero or less the result is missing.
    funding : float, array or Series, default 0.0
        Cost of funding a year, where `income` is before funding.
    capital_return : float, array or Series, default 0.0
        Return earned on the capital itself.

    Returns
    -------
    float, array or Series
        A fraction a year.

    References
    ----------
    Matten (2000), Managing Bank Capital, 2nd ed., Wiley, ISBN 978-0-471-85196-8.

    Examples
    --------
    >>> raroc(income=100.0, cost=30.0, expected_loss=20.0, capital=500.0)
    0.1
    """
    profit = income - funding - cost - expected_loss + capital_return
    positive = np.asarray(capital, dtype=float) > 0
    if positive.ndim == 0:
        return profit / capital if positive else np.nan
    return profit / np.where(positive, capital, np.nan)


def eva(raroc: Any, capital: Any, hurdle_rate: float = 0.1) -> Any:
    r"""Economic value added, a year: what is left after owners have had their return.

    .. math:: EVA = (RAROC - hurdle) \cdot capital

    Parameters
    ----------
    raroc : float, array or Series
        Risk-adjusted return, a fraction a year.
    capital : float, array or Series
        Currency units.
    hurdle_rate : float, default 0.1
        A fraction a year.

    Returns
    -------
    float, array or Series
        Currency units a year.

    References
    ----------
    Stewart (1991), The Quest for Value, HarperBusiness, ISBN 978-0-88730-418-7.

    Examples
    --------
    >>> round(eva(0.14, 500.0, hurdle_rate=0.1), 6)
    20.0
    """
    return (raroc - hurdle_rate) * capital


def expected_need_value(
    amount_expected: Any,
    pd: Any,
    spread: float = 0.02,
    win_rate: float = 0.35,
    lgd: float = 0.4,
) -> Any:
    r"""Value of the financing need that the next year is expected to bring.

    .. math:: V = E[amount] \cdot win\ rate \cdot (spread - PD \cdot LGD)

    Parameters
    ----------
    amount_expected : float, array or Series
        P(need) x mean amount given need, currency units: the probability is already inside.
    pd : float, array or Series
        Probability of default in a year, in [0, 1].
    spread : float, default 0.02
        Yearly margin on new lending.
    win_rate : float, default 0.35
        Share of known needs that the bank wins.
    lgd : float, default 0.4
        Loss given default on new lending.

    Returns
    -------
    float, array or Series
        Currency units a year; negative where the margin does not pay for the risk.

    References
    ----------
    The margin on what is won less its expected loss (`expected_loss`): the revenue side of RAROC, Matten
    (2000), Managing Bank Capital, 2nd ed., Wiley, ISBN 978-0-471-85196-8.

    Examples
    --------
    >>> expected_need_value(1000.0, 0.01, spread=0.02, win_rate=0.5, lgd=0.4)
    8.0
    """
    for name, rate in (("pd", pd), ("spread", spread), ("win_rate", win_rate), ("lgd", lgd)):
        _check_rate(name, rate)
    return amount_expected * win_rate * (spread - pd * lgd)


def save_value(uplift: Any, value_lost: Any, cost: Any) -> Any:
    r"""Value of an action that keeps a client: response, not risk, is what pays.

    .. math:: V = uplift \cdot value\ lost - cost

    Parameters
    ----------
    uplift : float, array or Series
        Fall in the probability of leaving that the action brings, in [-1, 1].
    value_lost : float, array or Series
        What the bank loses if the client leaves, currency units.
    cost : float, array or Series
        Cost of the action, currency units.

    Returns
    -------
    float, array or Series
        Currency units.

    References
    ----------
    Ascarza (2018), Retention futility, Journal of Marketing Research 55(1),
    https://doi.org/10.1509/jmr.16.0163

    Examples
    --------
    >>> save_value(uplift=0.05, value_lost=100_000.0, cost=2_000.0)
    3000.0
    """
    _check_rate("uplift", uplift, low=-1.0)
    return uplift * value_lost - cost


def _check_rate(name: str, rate: Any, low: float = 0.0) -> None:
    """Raise unless every known value lies in [low, 1]."""
    if isinstance(rate, float) and low <= rate <= 1:
        return
    values = np.asarray(rate, dtype=float)
    outside = (values < low) | (values > 1)
    if outside.any():
        worst = np.atleast_1d(values)[np.atleast_1d(outside)][0]
        raise DataError(
            f"{name} must be a fraction in [{low:g}, 1]; {int(outside.sum())} values lie outside, "
            f"the first is {worst:g}. Divide percentages by 100."
        )
