"""Money: what a client is worth today, what a loss would cost, what a service action may earn.

Pure functions of columns. Every argument is a number, an array or a Series; Series in, Series out on the same
index. Amounts are in the schema's one currency and unit, rates and probabilities are fractions in [0, 1], and
every flow is per year. A missing input gives a missing result, never a zero.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from clientscore._checks import check_columns, check_interval, check_option, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

CapitalMethod = Literal["irb", "flat"]

__all__ = [
    "ValueParameters",
    "client_value",
    "economic_capital",
    "eva",
    "expected_loss",
    "expected_need_value",
    "exposure_at_default",
    "raroc",
    "save_value",
]


@dataclass(frozen=True)
class ValueParameters:
    """The bank's own figures behind the value of a client; margins, hurdle and win rate are assumptions.

    Parameters
    ----------
    lgd : float, default 0.4
        Loss given default, a fraction of exposure. 40 % is the foundation value for senior unsecured claims
        on corporates [1]_.
    ccf : float, default 0.4
        Credit conversion factor: the share of an undrawn limit expected to be drawn at default. 40 % is the
        standardized value for commitments the bank cannot cancel at will [1]_.
    capital_method : {"irb", "flat"}, default "irb"
        "irb" computes capital from PD, LGD and EAD (`economic_capital`); "flat" holds `capital_ratio` of EAD.
    capital_ratio : float, default 0.08
        Capital as a fraction of EAD under "flat".
    hurdle_rate : float, default 0.1
        Return owners ask for on capital, a year.
    lending_margin : float, default 0.018
        Yearly margin on drawn balances after funding; used only where `income_amount` is missing.
    deposit_margin : float, default 0.008
        Yearly margin on deposit balances; used only where `income_amount` is missing.
    cost_income_ratio : float, default 0.35
        Cost as a share of income; used only where `cost_amount` is missing.
    need_spread : float, default 0.02
        Yearly margin on new lending.
    win_rate : float, default 0.35
        Share of clients' financing needs that the bank wins when it knows of them.

    References
    ----------
    .. [1] Basel Committee on Banking Supervision (2023), CRE20.94 and CRE32.6, https://www.bis.org/basel_framework/
    """

    lgd: float = 0.4
    ccf: float = 0.4
    capital_method: CapitalMethod = "irb"
    capital_ratio: float = 0.08
    hurdle_rate: float = 0.1
    lending_margin: float = 0.018
    deposit_margin: float = 0.008
    cost_income_ratio: float = 0.35
    need_spread: float = 0.02
    win_rate: float = 0.35

    def __post_init__(self) -> None:
        check_option("capital_method", self.capital_method, CapitalMethod)
        for field in fields(self):
            if field.name != "capital_method":
                check_interval(field.name, getattr(self, field.name), low=0.0, high=1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ValueParameters:
        """Build from plain data.

        Raises
        ------
        InvalidParameterError
            A key is unknown or a value lies outside its range.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in state if name not in known]
        if unknown:
            raise InvalidParameterError(
                f"ValueParameters has {len(unknown)} unknown keys.",
                [f"{name!r} is unknown.{did_you_mean(name, known)}" for name in unknown],
            )
        return cls(**state)


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


_READ = (
    *("pd", "income_amount", "cost_amount", "need_amount_expected"),
    *("drawn_amount", "limit_amount", "exposure_amount", "balance_amount"),
)


def client_value(frame: pd.DataFrame, parameters: ValueParameters | None = None) -> pd.DataFrame:
    """Yearly value of each client to the bank, with its parts.

    value = income - cost - expected loss - capital charge + expected need value, where the capital charge is
    hurdle rate x economic capital (so the part before the need is the client's EVA).

    Parameters
    ----------
    frame : DataFrame
        One row a client. Needs `pd` (12-month probability of default). Reads where present: `income_amount`
        (12 months, after funding), `cost_amount` (12 months), `drawn_amount`, `limit_amount`,
        `exposure_amount`, `balance_amount` (deposits), `need_amount_expected`.
    parameters : ValueParameters, default None
        The bank's figures; None means ``ValueParameters()``.

    Returns
    -------
    DataFrame
        On `frame`'s index: `value`, its parts `value_income`, `value_cost`, `value_expected_loss`,
        `value_capital_charge`, `value_need` (currency units a year), and `value_basis`: "income"; "balances"
        where income is missing and margins stand in for it; "need" for a prospect with no business yet;
        "not evaluated: <column> missing" where the value is missing. A part that cannot be computed is
        named after the basis ("income; need not evaluated").

    Raises
    ------
    MissingColumnError
        `pd` is absent.
    DataError
        A probability lies outside [0, 1].

    Examples
    --------
    >>> book = pd.DataFrame({"pd": [0.01], "income_amount": [100.0], "cost_amount": [30.0]}, index=["C1"])
    >>> client_value(book)[["value", "value_basis"]]
        value                   value_basis
    C1   70.0  income; need not evaluated
    """
    parameters = parameters or ValueParameters()
    check_columns(frame.columns, ["pd"], subject="client_value")
    column = {name: _number(frame, name) for name in _READ}
    exposure = _exposure(column, parameters)
    income, basis = _income(column, parameters)
    cost = column["cost_amount"]
    cost = cost.where(cost.notna(), parameters.cost_income_ratio * income)
    loss = expected_loss(column["pd"], parameters.lgd, exposure)
    charge = parameters.hurdle_rate * _capital(column["pd"], exposure, parameters)
    need = expected_need_value(
        column["need_amount_expected"],
        column["pd"],
        spread=parameters.need_spread,
        win_rate=parameters.win_rate,
        lgd=parameters.lgd,
    )
    value = income - cost - loss - charge + need.fillna(0.0).where(column["pd"].notna())
    parts = pd.DataFrame(
        {
            "value": value,
            "value_income": income,
            "value_cost": cost,
            "value_expected_loss": loss,
            "value_capital_charge": charge,
            "value_need": need,
        }
    )
    parts["value_basis"] = _basis(basis, column, need)
    return parts


def _number(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as float64, or all missing where it is absent."""
    if name not in frame.columns:
        return pd.Series(np.nan, index=frame.index, name=name)
    try:
        return frame[name].astype("float64")
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers; {error}.") from error


def _exposure(column: dict[str, pd.Series], parameters: ValueParameters) -> pd.Series:
    """EAD from drawn and limit; else the exposure column; else zero: no lending, no credit loss."""
    drawn, limit = column["drawn_amount"], column["limit_amount"]
    ead = exposure_at_default(drawn, limit.fillna(drawn), parameters.ccf)
    return ead.fillna(column["exposure_amount"]).fillna(0.0)


def _income(column: dict[str, pd.Series], parameters: ValueParameters) -> tuple[pd.Series, pd.Series]:
    """Income where known, else balances times margins, else zero for a prospect with a known need."""
    drawn = column["drawn_amount"].fillna(column["exposure_amount"])
    known = drawn.notna() | column["balance_amount"].notna()
    margin = drawn.fillna(0.0) * parameters.lending_margin
    margin = margin + column["balance_amount"].fillna(0.0) * parameters.deposit_margin
    basis = pd.Series("not evaluated: income_amount missing", index=drawn.index, dtype="str")
    income = pd.Series(np.nan, index=drawn.index)
    prospect = column["need_amount_expected"].notna()
    for rows, amount, word in (
        (prospect, 0.0, "need"),
        (known, margin, "balances"),
        (column["income_amount"].notna(), column["income_amount"], "income"),
    ):
        income = income.mask(rows, amount)
        basis = basis.mask(rows, word)
    return income, basis


def _capital(pd_column: pd.Series, exposure: pd.Series, parameters: ValueParameters) -> pd.Series:
    if parameters.capital_method == "flat":
        return parameters.capital_ratio * exposure.where(pd_column.notna())
    capital: pd.Series = economic_capital(pd_column, parameters.lgd, exposure)
    return capital


def _basis(basis: pd.Series, column: dict[str, pd.Series], need: pd.Series) -> pd.Series:
    """Complete the flag: which inputs stood in for others, and what was not evaluated."""
    evaluated = ~basis.str.startswith("not evaluated")
    by_ratio = evaluated & column["cost_amount"].isna() & (basis != "need")
    basis = basis.mask(by_ratio, basis + "; cost by ratio")
    basis = basis.mask(evaluated & need.isna(), basis + "; need not evaluated")
    return basis.mask(column["pd"].isna(), "not evaluated: pd missing")


def _check_rate(name: str, rate: Any, low: float = 0.0) -> None:
    """Raise unless every known value lies in [low, 1]."""
    values = np.asarray(rate, dtype=float)
    outside = (values < low) | (values > 1)
    if outside.any():
        worst = np.atleast_1d(values)[np.atleast_1d(outside)][0]
        raise DataError(
            f"{name} must be a fraction in [{low:g}, 1]; {int(outside.sum())} values lie outside, "
            f"the first is {worst:g}. Divide percentages by 100."
        )
