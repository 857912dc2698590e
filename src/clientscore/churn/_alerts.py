"""Alerts: the clients whose leaving would cost most, as many as the team can look after."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_integer, check_interval, check_option
from clientscore._words import cause_in_words
from clientscore.catalogue import in_words
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Language = Literal["en", "zh"]
_INPUTS = ("probability", "value", "hours")

_WORDS = {
    "en": {
        "reason": "{cause} {probability:.1%} x {value:,.0f} at stake = {loss:,.0f}",
        "drivers": "; because of {}",
        "and": ", ",
        "capacity": "no capacity left: {loss:,.0f} expected, less an hour or a client than those chosen",
        "no_loss": "no loss expected",
        "missing": "not evaluated: {} missing",
        "probability": "probability",
        "value": "value",
        "hours": "hours",
    },
    "zh": {
        "reason": "{cause}概率{probability:.1%} × 风险价值{value:,.0f} = {loss:,.0f}",
        "drivers": "；驱动因素：{}",
        "and": "、",
        "capacity": "人力不足：预期损失{loss:,.0f}，单位投入的损失低于已选客户",
        "no_loss": "无预期损失",
        "missing": "未评估：缺少{}",
        "probability": "概率",
        "value": "客户价值",
        "hours": "工时",
    },
}


@dataclass(frozen=True, repr=False)
class Alerts:
    """Whom the team looks after, why, and who was left out.

    Attributes
    ----------
    chosen : DataFrame
        One row a client, the largest expected loss first: rank (from 1), probability, value, expected_loss
        (currency units), hours (missing where none were given), driver_1 ... where given, reason (text).
    left_out : DataFrame
        The other clients: probability, value, expected_loss, hours, why ("capacity", "no_loss",
        "not_evaluated"), reason (text); by expected loss, those not evaluated last.
    rows : ndarray of int
        Places of the chosen in the input.
    capacity, used : dict of str to float
        Available and used: n_clients and hours, whichever was limited.
    lang : {"en", "zh"}
        Language of the reasons.
    """

    chosen: pd.DataFrame
    left_out: pd.DataFrame
    rows: NDArray[np.intp]
    capacity: dict[str, float]
    used: dict[str, float]
    lang: Language = "en"

    @property
    def expected_loss(self) -> float:
        """Expected loss of the chosen clients together, currency units."""
        return float(self.chosen["expected_loss"].sum())

    @property
    def share_of_loss(self) -> float:
        """Part of all expected loss that lies with the chosen clients; missing where there is none."""
        total = self.expected_loss + float(self.left_out["expected_loss"].clip(lower=0.0).sum())
        return self.expected_loss / total if total > 0 else float("nan")

    def frame(self) -> pd.DataFrame:
        """Return one row an alert, the largest expected loss first."""
        return self.chosen.copy()

    def with_drivers(self, drivers: pd.DataFrame) -> Alerts:
        """Return the alerts with the drivers of each chosen client, in the reasons too.

        Parameters
        ----------
        drivers : DataFrame of shape (number of alerts, n)
            Columns driver_1, driver_2 ...: names of features, missing where there are fewer; in the order of
            :meth:`frame`.
        """
        if not drivers.index.equals(self.chosen.index):
            raise DataError("drivers must have the index of the chosen clients, in the order of frame().")
        plain = self.chosen.drop(columns=[name for name in self.chosen if str(name).startswith("driver_")])
        texts = plain["reason"].to_numpy(dtype=object) + _driver_texts(drivers, self.lang)
        reason = pd.Series(texts, index=plain.index, dtype="str")
        return replace(self, chosen=plain.drop(columns="reason").join(drivers).assign(reason=reason))

    def to_dict(self) -> dict[str, Any]:
        """Return totals, alerts and clients left out as plain data, ready for JSON."""
        return {
            "capacity": self.capacity,
            "used": self.used,
            "expected_loss": self.expected_loss,
            "share_of_loss": _plain(self.share_of_loss),
            "alerts": _records(self.chosen),
            "left_out": _records(self.left_out),
        }

    def __len__(self) -> int:
        return len(self.chosen)

    def __repr__(self) -> str:
        counts = self.left_out["why"].value_counts()
        share, loss = self.share_of_loss, self.expected_loss
        lines = [f"Alerts: {len(self):,} clients with an expected loss of {loss:,.0f}, {share:.0%} of all"]
        lines += [
            f"  {name}: {self.used[name]:,.1f} of {limit:,.1f} used" for name, limit in self.capacity.items()
        ]
        lines += [f"  left out, {why}: {count:,}" for why, count in counts.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>{self.chosen.head(20).to_html()}"


def alerts(
    probability: pd.Series,
    value: Any,
    *,
    n_clients: int | None = None,
    hours: Any = None,
    hours_available: float | None = None,
    drivers: pd.DataFrame | None = None,
    cause: str = "churn",
    lang: Language = "en",
) -> Alerts:
    """Rank clients by expected loss and choose as many as the team can look after.

    Expected loss = probability of leaving x value lost.  The clients with the largest are chosen, if their
    hours suffice.  Where they do not, those with the largest expected loss an hour are chosen first, and a
    client that no longer fits gives way to the next that does.  Ties go to the larger probability, then to
    the smaller id read as text, so the order of the rows never matters.
    A client with a missing probability, value or number of hours is not evaluated; one whose expected loss
    is zero or less is no alert.

    Parameters
    ----------
    probability : Series of shape (n,)
        Probability of leaving within the horizon, a fraction; its index names the clients.
    value : float, Series or array of shape (n,)
        What the bank loses if the client leaves, currency units.
    n_clients : int, default None
        Most clients that the team can look after; None: no such limit.
    hours : float, Series or array of shape (n,), default None
        Hours that one client takes, greater than 0; needed with `hours_available`.
    hours_available : float, default None
        Hours of the team; None: no such limit.
    drivers : DataFrame of shape (n, k), default None
        Columns driver_1 ...: features that raise the risk, on the index of `probability`; they go into the
        reasons.
    cause : str, default "churn"
        What the probability is of, for the reasons.
    lang : {"en", "zh"}, default "en"
        Language of the reasons.

    Returns
    -------
    Alerts
        The chosen with their reasons, and those left out with why.

    Raises
    ------
    InvalidParameterError
        No limit is given, or one is outside its rule; hours and their limit do not come together.
    DataError
        Indexes differ, probabilities lie outside [0, 1], or hours are not above 0; all faults are listed.

    References
    ----------
    Ascarza (2018), Retention futility, Journal of Marketing Research 55(1),
    https://doi.org/10.1509/jmr.16.0163 (the highest risk is not the best target; where the response to an
    action is known, rank by `clientscore.value.save_value` instead).

    Examples
    --------
    >>> risk = pd.Series([0.5, 0.1, 0.2, 0.9], index=["C1", "C2", "C3", "C4"])
    >>> result = alerts(risk, [100.0, 2000.0, 300.0, None], n_clients=2)
    >>> result.frame()["expected_loss"]
    C2    200.0
    C3     60.0
    Name: expected_loss, dtype: float64
    >>> result.left_out["why"].to_dict()
    {'C1': 'capacity', 'C4': 'not_evaluated'}
    """
    check_option("lang", lang, Language)
    _check_limits(n_clients, hours, hours_available)
    columns = _columns(probability, value, hours)
    table = pd.DataFrame(columns, index=probability.index)
    table.insert(2, "expected_loss", table["probability"] * table["value"])
    inputs = _INPUTS if hours is not None else _INPUTS[:2]
    missing = table[list(inputs)].isna().to_numpy()
    table.loc[missing.any(axis=1), "expected_loss"] = np.nan
    order = _order(table)
    able = order[table["expected_loss"].to_numpy()[order] > 0]
    rows = _choose(table, able, n_clients, hours_available)
    chosen = table.iloc[rows].copy()
    chosen.insert(0, "rank", np.arange(1, len(chosen) + 1))
    figures = chosen[["probability", "value", "expected_loss"]].to_numpy(dtype=float).tolist()
    reasons = [
        _WORDS[lang]["reason"].format(cause=cause_in_words(cause, lang), probability=p, value=v, loss=loss)
        for p, v, loss in figures
    ]
    limits = {"n_clients": n_clients, "hours": hours_available}
    used = {"n_clients": float(len(rows)), "hours": float(chosen["hours"].sum())}
    capacity = {name: float(limit) for name, limit in limits.items() if limit is not None}
    result = Alerts(
        chosen.assign(reason=pd.Series(reasons, index=chosen.index, dtype="str")),
        _left_out(table, order[~np.isin(order, rows)], missing, inputs, lang),
        rows,
        capacity,
        {name: used[name] for name in capacity},
        lang,
    )
    if drivers is None:
        return result
    if not drivers.index.equals(probability.index):
        raise DataError("drivers must have the index of probability. Reindex it.")
    return result.with_drivers(drivers.iloc[rows])


def _check_limits(n_clients: Any, hours: Any, hours_available: Any) -> None:
    if n_clients is None and hours_available is None:
        raise InvalidParameterError(
            "The team's capacity must be given: n_clients, or hours with hours_available; got neither."
        )
    if n_clients is not None:
        check_integer("n_clients", n_clients, low=0)
    if hours_available is not None:
        check_interval("hours_available", hours_available, low=0.0, closed="low")
    if (hours is None) != (hours_available is None):
        given, absent = ("hours_available", "hours") if hours is None else ("hours", "hours_available")
        raise InvalidParameterError(f"{given} needs {absent}: hours a client, and hours of the team.")


def _columns(probability: pd.Series, value: Any, hours: Any) -> dict[str, Floats]:
    """Return the inputs as floats on the rows of `probability`, or say what is wrong with them."""
    if not isinstance(probability, pd.Series):
        raise DataError(f"probability must be a Series named by client; got {type(probability).__name__}.")
    given = {"probability": probability, "value": value, "hours": np.nan if hours is None else hours}
    columns: dict[str, Floats] = {}
    faults: list[str] = []
    for name, values in given.items():
        if isinstance(values, pd.Series) and not values.index.equals(probability.index):
            faults.append(f"{name} must have the index of probability. Reindex it.")
            continue
        try:
            array = np.asarray(values, dtype=np.float64)
            columns[name] = np.broadcast_to(array, (len(probability),)).copy()
        except (TypeError, ValueError):
            faults.append(f"{name} must be a number or {len(probability)} numbers; got {np.shape(values)}.")
            continue
        wrong = _wrong(name, columns[name])
        if wrong.any():
            rule = {"probability": "in [0, 1]", "hours": "above 0 and finite"}.get(name, "finite")
            faults.append(
                f"{name} must be {rule}; {int(wrong.sum())} of {len(wrong)} values are not, the first is "
                f"{columns[name][wrong][0]:g}."
            )
    if faults:
        raise DataError("alerts cannot rank these columns.", faults)
    return columns


def _wrong(name: str, values: Floats) -> NDArray[np.bool_]:
    if name == "probability":
        return (values < 0) | (values > 1)
    infinite = np.isinf(values)
    return infinite | (values <= 0) if name == "hours" else infinite


def _order(table: pd.DataFrame) -> NDArray[np.intp]:
    """Return the places of all rows by expected loss; ties by probability, then id as text, then place."""
    levels = [table.index.get_level_values(k).astype("str") for k in range(table.index.nlevels)]
    ids = [pd.factorize(level, sort=True)[0] for level in levels[::-1]]
    loss, risk = (-table[name].to_numpy() for name in ("expected_loss", "probability"))
    return np.lexsort((*ids, risk, loss))  # NaN sorts last


def _choose(
    table: pd.DataFrame, able: NDArray[np.intp], n_clients: int | None, hours_available: float | None
) -> NDArray[np.intp]:
    """Return the places chosen, by expected loss."""
    most = len(able) if n_clients is None else int(n_clients)
    hours = table["hours"].to_numpy()[able]
    if hours_available is None or hours[:most].sum() <= hours_available:
        return able[:most]
    an_hour = table["expected_loss"].to_numpy()[able] / hours
    first = np.argsort(-an_hour, kind="stable")  # ties keep the order of expected loss
    left, least = float(hours_available), float(hours.min(initial=np.inf))
    taken: list[int] = []
    slack = 1e-9 * max(left, 1.0)
    for place, need in zip(first.tolist(), hours[first].tolist(), strict=True):
        if len(taken) >= most or left + slack < least:
            break
        if need <= left + slack:
            taken.append(place)
            left -= need
    return able[np.sort(np.array(taken, dtype=np.intp))]


def _left_out(
    table: pd.DataFrame,
    rows: NDArray[np.intp],
    missing: NDArray[np.bool_],
    inputs: Sequence[str],
    lang: Language,
) -> pd.DataFrame:
    """Return the clients not chosen, each with why."""
    words = _WORDS[lang]
    left = table.iloc[rows].copy()
    loss = left["expected_loss"].to_numpy()
    why = np.where(missing[rows].any(axis=1), "not_evaluated", np.where(loss > 0, "capacity", "no_loss"))
    texts = []
    for kind, lost, absent in zip(why.tolist(), loss.tolist(), missing[rows].tolist(), strict=True):
        if kind == "not_evaluated":
            names = [words[name] for name, gone in zip(inputs, absent, strict=True) if gone]
            texts.append(words["missing"].format(words["and"].join(names)))
        else:
            texts.append(words[kind].format(loss=lost))
    return left.assign(
        why=pd.Series(why, index=left.index, dtype="str"),
        reason=pd.Series(texts, index=left.index, dtype="str"),
    )


def _driver_texts(drivers: pd.DataFrame, lang: Language) -> NDArray[np.object_]:
    """Return the drivers of each row in words, as the end of a reason."""
    words = _WORDS[lang]
    texts = []
    for row in drivers.to_numpy(dtype=object).tolist():
        names = [in_words(name, lang) for name in row if isinstance(name, str)]
        texts.append(words["drivers"].format(words["and"].join(names)) if names else "")
    return np.array(texts, dtype=object)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as plain data, the client first."""
    names = ["client_id"] if frame.index.nlevels == 1 else [f"level_{k}" for k in range(frame.index.nlevels)]
    names = [str(own or name) for own, name in zip(frame.index.names, names, strict=True)]
    records = frame.reset_index(names=names).to_dict("records")
    return [{str(key): _plain(value) for key, value in row.items()} for row in records]


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return value.item() if hasattr(value, "item") else value
