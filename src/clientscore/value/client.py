"""The yearly value of a client to the bank, with its parts: of a book, or of one client."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_interval, check_option, did_you_mean
from clientscore._frames import number_of, numbers_of
from clientscore.exceptions import InvalidParameterError

from .formulas import economic_capital, expected_loss, expected_need_value, exposure_at_default, raroc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CapitalMethod = Literal["irb", "flat"]


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
    funding_rate : float, default 0.0
        Yearly cost of funding drawn balances, taken off a known income; 0 where `income_amount` is after
        funding already, as the default schema has it.
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
    funding_rate: float = 0.0
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


_READ = (
    *("pd", "income_amount", "cost_amount", "need_amount_expected"),
    *("drawn_amount", "limit_amount", "exposure_amount", "balance_amount"),
)
_UNKNOWN, _NEED, _BALANCES, _INCOME = range(4)


def _base_texts() -> NDArray[np.object_]:
    """Return the basis in words by 4 x kind + 2 x cost missing + need missing; last: no PD."""
    texts = []
    for kind, word in enumerate(("not evaluated: income_amount missing", "need", "balances", "income")):
        ratio = "; cost by ratio" if kind in (_BALANCES, _INCOME) else ""
        lacking = "; need not evaluated" if kind != _UNKNOWN else ""
        texts += [word, word + lacking, word + ratio, word + ratio + lacking]
    return np.array([*texts, "not evaluated: pd missing"], dtype=object)


_BASES = _base_texts()


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
        `value_capital_charge`, `value_need` and `value_eva` (value before the need; currency units a year),
        `value_raroc` (a fraction a year, missing without capital), and `value_basis`: "income"; "balances"
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
    check_columns(frame.columns, ["pd"], subject="client_value")
    column = {name: numbers_of(frame, name) for name in _READ}
    return pd.DataFrame(_value(column, parameters or ValueParameters()), index=frame.index).astype(
        {"value_basis": "str"}
    )


def client_value_one(
    client: Mapping[str, Any], parameters: ValueParameters | None = None
) -> dict[str, float | str | None]:
    """Yearly value of one client, a mapping in and a dict out, without pandas on the way.

    Parameters
    ----------
    client : mapping
        Values by column name, as in `client_value`; None and NaN are missing.
    parameters : ValueParameters, default None
        The bank's figures; None means ``ValueParameters()``.

    Returns
    -------
    dict
        The columns of `client_value`; what is missing is None.

    Raises
    ------
    MissingColumnError
        `pd` is absent.
    DataError
        A value is not a number, or a probability lies outside [0, 1].

    Examples
    --------
    >>> one = client_value_one({"pd": 0.01, "income_amount": 100.0, "cost_amount": 30.0})
    >>> one["value"], one["value_basis"]
    (70.0, 'income; need not evaluated')
    """
    if "pd" not in client:
        check_columns(client, ["pd"], subject="client_value_one")
    column = {name: number_of(client, name) for name in _READ}
    values = {name: array.item() for name, array in _value(column, parameters or ValueParameters()).items()}
    return {name: None if value != value else value for name, value in values.items()}  # noqa: PLR0124 -- NaN


def _value(column: dict[str, Floats], parameters: ValueParameters) -> dict[str, NDArray[Any]]:
    """Return value, parts and basis from columns: the one sum behind a book and a single client."""
    with np.errstate(over="ignore", invalid="ignore"):
        exposure = _exposure(column, parameters)
        kind, income = _income(column, parameters)
        cost = _filled(column["cost_amount"], parameters.cost_income_ratio * income)
        loss = expected_loss(column["pd"], parameters.lgd, exposure)
        capital = _capital(column["pd"], exposure, parameters)
        charge = parameters.hurdle_rate * capital
        need = expected_need_value(
            column["need_amount_expected"],
            column["pd"],
            spread=parameters.need_spread,
            win_rate=parameters.win_rate,
            lgd=parameters.lgd,
        )
        value = income - cost - loss - charge + np.where(np.isnan(column["pd"]), np.nan, _filled(need, 0.0))
    return {
        "value": value,
        "value_income": income,
        "value_cost": cost,
        "value_expected_loss": loss,
        "value_capital_charge": charge,
        "value_need": need,
        "value_eva": income - cost - loss - charge,
        "value_raroc": raroc(income, cost, loss, capital),
        "value_basis": _basis(kind, column, need),
    }


def _filled(values: Floats, other: Floats | float) -> Floats:
    return np.where(np.isnan(values), other, values)


def _exposure(column: dict[str, Floats], parameters: ValueParameters) -> Floats:
    """EAD from drawn and limit; else the exposure column; else zero: no lending, no credit loss."""
    drawn, limit = column["drawn_amount"], column["limit_amount"]
    ead = exposure_at_default(drawn, _filled(limit, drawn), parameters.ccf)
    return _filled(_filled(ead, column["exposure_amount"]), 0.0)


def _income(column: dict[str, Floats], parameters: ValueParameters) -> tuple[NDArray[np.intp], Floats]:
    """Income where known, else balances times margins, else zero for a prospect with a known need."""
    drawn = _filled(column["drawn_amount"], column["exposure_amount"])
    balance, income = column["balance_amount"], column["income_amount"]
    margin = _filled(drawn, 0.0) * parameters.lending_margin
    margin = margin + _filled(balance, 0.0) * parameters.deposit_margin
    prospect = ~np.isnan(column["need_amount_expected"])
    kind = np.where(prospect, _NEED, _UNKNOWN)
    found = np.where(prospect, 0.0, np.nan)
    known = ~np.isnan(drawn) | ~np.isnan(balance)
    kind, found = np.where(known, _BALANCES, kind), np.where(known, margin, found)
    known = ~np.isnan(income)
    after_funding = income - parameters.funding_rate * _filled(drawn, 0.0)
    return np.where(known, _INCOME, kind), np.where(known, after_funding, found)


def _capital(pd_column: Floats, exposure: Floats, parameters: ValueParameters) -> Floats:
    if parameters.capital_method == "flat":
        return parameters.capital_ratio * np.where(np.isnan(pd_column), np.nan, exposure)
    capital: Floats = economic_capital(pd_column, parameters.lgd, exposure)
    return capital


def _basis(kind: NDArray[np.intp], column: dict[str, Floats], need: Floats) -> NDArray[np.object_]:
    """Name the basis: which inputs stood in for others, and what was not evaluated."""
    by_ratio = np.isnan(column["cost_amount"])
    place = 4 * kind + 2 * by_ratio + np.isnan(need)
    return _BASES[np.where(np.isnan(column["pd"]), len(_BASES) - 1, place)]
