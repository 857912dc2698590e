"""Tiers: how closely the bank serves whom, by a value score with a PD gate, a buffer and overrides."""

from __future__ import annotations

import itertools
import math
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_interval, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError, PolicyError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["TierPolicy"]

_NEEDED = ("size_amount", "pd", "value")
_OVERRIDE_COLUMNS = ("client_id", "tier", "reason", "owner", "expires")
_MISSING = -1


@dataclass(frozen=True)
class TierPolicy:
    r"""Cut-offs, gates and rules that turn value, size and PD into a tier.

    The score is a yearly amount: :math:`score = value + size\_rate \cdot size + need\_rate \cdot E[need]`.
    A client belongs to the best tier whose cut-off its score reaches and whose gate its PD does not exceed.

    With a history of earlier runs a client moves only when it is clearly across the line (`buffer`) and has
    stood in its tier for `periods` runs; the PD gate alone acts at once. An override of a person beats all of
    it until it expires. The watch flag lies over the tier and never changes it.

    Parameters
    ----------
    cutoffs : mapping of str to float, default {"A": 2_000_000.0, "B": 300_000.0}
        Least score per tier, best tier first, currency units a year; amounts must fall. The default fits
        a book in yuan: see `fit_cutoffs`.
    otherwise : str, default "C"
        Tier below the last cut-off.
    size_rate : float, default 0.0005
        Yearly income a bank may hope for per unit of the client's size (`size_amount`): the potential.
    need_rate : float, default 0.0
        Yearly income per unit of `need_amount_expected`. Zero, since `value.client_value` already counts the
        expected need; raise it where `value` does not.
    pd_gates : mapping of str to float, default {"A": 0.03, "B": 0.08}
        Highest PD allowed in a tier; a tier without one has no gate.
    buffer : float, default 0.1
        Share of a cut-off by which the score must pass it before a known client moves.
    periods : int, default 2
        Runs a client stays in a tier before the score may move it again.
    watch_pd : float, default 0.1
        PD from which a client is on watch.
    watch_dpd_days : float, default 30.0
        Days past due from which a client is on watch.
    watch_grades : sequence of str, default ("D",)
        Grades that put a client on watch.

    Raises
    ------
    PolicyError
        Parameters contradict the rules above; all faults are listed.

    Examples
    --------
    >>> book = pd.DataFrame(
    ...     {"size_amount": [1e9, 2e8], "pd": [0.01, 0.01], "value": [3e6, 1e5]},
    ...     index=pd.Index(["C1", "C2"], name="client_id"),
    ... )
    >>> TierPolicy.default().assign(book)[["tier", "watch"]]
              tier  watch
    client_id
    C1           A  False
    C2           C  False
    """

    cutoffs: Mapping[str, float] = field(default_factory=lambda: {"A": 2_000_000.0, "B": 300_000.0})
    otherwise: str = "C"
    size_rate: float = 0.0005
    need_rate: float = 0.0
    pd_gates: Mapping[str, float] = field(default_factory=lambda: {"A": 0.03, "B": 0.08})
    buffer: float = 0.1
    periods: int = 2
    watch_pd: float = 0.1
    watch_dpd_days: float = 30.0
    watch_grades: Sequence[str] = ("D",)

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise PolicyError(f"The tier policy has {len(faults)} faults.", faults)
        object.__setattr__(self, "cutoffs", dict(self.cutoffs))
        gates = {tier: float(self.pd_gates[tier]) for tier in self.cutoffs if tier in self.pd_gates}
        object.__setattr__(self, "pd_gates", gates)
        object.__setattr__(self, "watch_grades", tuple(self.watch_grades))

    @classmethod
    def default(cls) -> TierPolicy:
        """Return the default policy."""
        return cls()

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TierPolicy:
        """Build from plain data; unknown keys are faults."""
        known = [item.name for item in fields(cls)]
        unknown = [name for name in state if name not in known]
        if unknown:
            faults = [f"{name!r} is unknown.{did_you_mean(name, known)}" for name in unknown]
            raise PolicyError(f"The tier policy has {len(faults)} unknown keys.", faults)
        return cls(**state)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> TierPolicy:
        """Read the table ``[tiers]`` of a TOML file, or the whole file where there is none.

        Raises
        ------
        PolicyError
            The file is not TOML, or the policy in it has faults.
        """
        try:
            document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PolicyError(f"{path} must be a TOML file in UTF-8; {error}.") from error
        return cls.from_dict(document.get("tiers", document))

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as plain data."""
        return {**asdict(self), "watch_grades": list(self.watch_grades)}

    def to_state(self) -> dict[str, Any]:
        """Return the state a model file keeps."""
        return self.to_dict()

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TierPolicy:
        """Build from the state a model file keeps, which may have lost the order of its keys."""
        ordered = dict(sorted(state["cutoffs"].items(), key=lambda item: -item[1]))
        return cls.from_dict({**state, "cutoffs": ordered})

    @property
    def tiers(self) -> tuple[str, ...]:
        """All tiers, best first."""
        return (*self.cutoffs, self.otherwise)

    def score(self, frame: pd.DataFrame) -> pd.Series:
        """Return the value score of each client, currency units a year; missing where an input is missing."""
        check_columns(frame.columns, _NEEDED, subject="TierPolicy")
        score = _number(frame, "value") + self.size_rate * _number(frame, "size_amount")
        if self.need_rate:
            score = score + self.need_rate * _number(frame, "need_amount_expected").fillna(0.0)
        return score.where(_number(frame, "pd").notna()).rename("score")

    def fit_cutoffs(self, frame: pd.DataFrame, shares: Mapping[str, float] | None = None) -> TierPolicy:
        """Return a new policy whose cut-offs are amounts that split this book into given shares.

        The cut-offs are fixed numbers from then on, so that one client alone gets the same tier as in the
        book. The PD gate and the history act afterwards, so the tiers may end up smaller than the shares.

        Parameters
        ----------
        frame : DataFrame
            The book, with the columns of `assign`.
        shares : mapping of str to float, default None
            Share of the book per tier, best first. None means ``{"A": 0.15, "B": 0.35}``.

        Returns
        -------
        TierPolicy

        Raises
        ------
        InvalidParameterError
            `shares` does not name the tiers of the policy, or adds to 1 or more.
        DataError
            The book has too few different scores.
        """
        shares = shares or {"A": 0.15, "B": 0.35}
        if set(shares) != set(self.cutoffs) or not 0 < sum(shares.values()) < 1 or min(shares.values()) <= 0:
            raise InvalidParameterError(
                f"shares must name {', '.join(self.cutoffs)} with positive shares that add to less than 1; "
                f"got {dict(shares)!r}."
            )
        known = self.score(frame).dropna().to_numpy()
        if len(np.unique(known)) <= len(self.cutoffs):
            raise DataError(
                f"fit_cutoffs needs more different scores than cut-offs; got {len(np.unique(known))} "
                f"scores for {len(self.cutoffs)} cut-offs. Give cutoffs by hand."
            )
        top = np.cumsum([shares[tier] for tier in self.cutoffs])
        amounts = np.quantile(known, 1 - top)
        return replace(self, cutoffs=dict(zip(self.cutoffs, map(float, amounts), strict=True)))

    def assign(
        self,
        frame: pd.DataFrame,
        previous: pd.DataFrame | None = None,
        *,
        overrides: pd.DataFrame | None = None,
        as_of: Any = None,
    ) -> pd.DataFrame:
        """Give each client its tier.

        Parameters
        ----------
        frame : DataFrame
            One row a client, indexed by `client_id` (or by client_id and as_of, or with a column
            `client_id`). Needs `size_amount`, `pd`, `value`; reads `need_amount_expected`, `dpd_days`,
            `grade` where present.
        previous : DataFrame, default None
            Earlier runs: `client_id`, `as_of`, `tier`. The last `periods` runs of a client count.
        overrides : DataFrame, default None
            Decisions of persons: `client_id`, `tier`, `reason`, `owner`, `expires` (last day of effect).
        as_of : date, default None
            Day of the run; None reads it from the index or the column `as_of`. Needed for overrides.

        Returns
        -------
        DataFrame
            On `frame`'s index: `tier` (missing where an input is missing: "not evaluated"), `watch` (nullable
            boolean; missing where PD and grade are both unknown), `tier_reason`, `override` (what was applied
            or has expired; missing where there is none).

        Raises
        ------
        MissingColumnError
            A needed column is absent.
        DataError
            A column does not hold numbers, or `previous` or `overrides` hold what cannot be used.
        """
        score = self.score(frame).to_numpy()
        pd_values = _number(frame, "pd").to_numpy()
        ids = _client_ids(frame)
        run = None if previous is None and overrides is None else _run_date(frame, as_of)
        gate = self._gate_rank(pd_values)
        plain = np.maximum(self._score_rank(score), gate)
        history = None if previous is None else self._history(ids, previous, run)
        rank, held = self._with_history(score, pd_values, plain, gate, history)
        rank = np.where(np.isnan(score), _MISSING, rank)
        reason = self._reasons(frame, score, pd_values, rank, held)
        note = np.full(len(frame), None, dtype=object)
        if overrides is not None:
            self._apply_overrides(overrides, ids, run, rank, note)
        labels = np.array([*self.tiers, None], dtype=object)  # position -1 is the missing tier
        return pd.DataFrame(
            {
                "tier": pd.Series(labels[rank], index=frame.index, dtype="str"),
                "watch": self._watch(frame, pd_values),
                "tier_reason": pd.Series(reason, index=frame.index, dtype="str"),
                "override": pd.Series(note, index=frame.index, dtype="str"),
            }
        )

    def _score_rank(self, score: np.ndarray, shift: float = 0.0) -> np.ndarray:
        """Position of the best tier whose cut-off, moved by a share of itself, the score reaches."""
        rank = np.zeros(len(score), dtype=np.intp)
        for amount in self.cutoffs.values():
            rank += ~(score >= amount + shift * abs(amount))
        return rank

    def _gate_rank(self, pd_values: np.ndarray, shrink: float = 1.0) -> np.ndarray:
        """Position of the best tier that the PD allows."""
        rank = np.zeros(len(pd_values), dtype=np.intp)
        for position, tier in enumerate(self.cutoffs):
            above = pd_values > self.pd_gates.get(tier, 1.0) * shrink
            rank[above] = np.maximum(rank[above], position + 1)
        return rank

    def _history(
        self, ids: np.ndarray, previous: pd.DataFrame, run: pd.Timestamp | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Last tier of each client (or missing) and whether it has stood there for `periods` runs."""
        check_columns(previous.columns, ("client_id", "as_of", "tier"), subject="previous")
        known = previous.loc[previous["tier"].notna(), ["client_id", "as_of", "tier"]]
        unknown = sorted(set(known["tier"]) - set(self.tiers))
        if unknown:
            raise DataError(f"previous must hold tiers {', '.join(self.tiers)}; got {', '.join(unknown)}.")
        known = known.assign(as_of=pd.to_datetime(known["as_of"]))
        if run is not None:
            known = known[known["as_of"] < run]
        known = known.sort_values("as_of", kind="stable").groupby("client_id").tail(self.periods)
        order = {tier: float(i) for i, tier in enumerate(self.tiers)}
        known = known.assign(rank=known["tier"].map(order).astype("float64"))
        groups = known.groupby("client_id")["rank"]
        summary = pd.DataFrame({"last": groups.last(), "steady": groups.nunique() == 1})
        summary = summary.reindex(ids)
        last = summary["last"].fillna(_MISSING).to_numpy(dtype=np.intp)
        return last, (summary["steady"] == True).to_numpy(dtype=bool)  # noqa: E712 -- missing is not steady

    def _with_history(
        self,
        score: np.ndarray,
        pd_values: np.ndarray,
        plain: np.ndarray,
        gate: np.ndarray,
        history: tuple[np.ndarray, np.ndarray] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tier after buffer and stay, and why it differs from the plain one (0 no, 1 buffer, 2 stay)."""
        if history is None:
            return plain, np.zeros(len(plain), dtype=np.int8)
        last, steady = history
        up = np.maximum(self._score_rank(score, self.buffer), self._gate_rank(pd_values, 1 - self.buffer))
        down = np.maximum(self._score_rank(score, -self.buffer), gate)
        moved = np.where(up < last, up, np.where(down > last, down, last))
        stay = np.maximum(last, gate)  # credit acts at once
        rank = np.where(last == _MISSING, plain, np.where(steady, moved, stay))
        held = np.where(rank == plain, 0, np.where(steady, 1, 2)).astype(np.int8)
        return rank, held

    def _watch(self, frame: pd.DataFrame, pd_values: np.ndarray) -> pd.Series:
        """Return True where any sign is known and bad, missing where PD and grade are both unknown."""
        bad = pd_values >= self.watch_pd
        unknown = np.isnan(pd_values)
        if "dpd_days" in frame.columns:
            bad |= _number(frame, "dpd_days").to_numpy() >= self.watch_dpd_days
        if "grade" in frame.columns:
            bad |= frame["grade"].isin(self.watch_grades).to_numpy()
            unknown &= frame["grade"].isna().to_numpy()
        return pd.Series(pd.array(bad, dtype="boolean"), index=frame.index).mask(~bad & unknown)

    def _reasons(
        self,
        frame: pd.DataFrame,
        score: np.ndarray,
        pd_values: np.ndarray,
        rank: np.ndarray,
        held: np.ndarray,
    ) -> list[str]:
        """One sentence a client: the score, its parts, the line it reached, the gate, the history."""
        parts = {name: _number(frame, name).to_numpy() for name in _NEEDED}
        value, size = parts["value"], parts["size_amount"]
        need = (score - value - self.size_rate * size).tolist()
        reached = self._score_rank(score)
        lines = [f"at least {amount:,.0f} for {tier}" for tier, amount in self.cutoffs.items()]
        lines.append("below {1:,.0f} for {0}".format(*list(self.cutoffs.items())[-1]))
        gates = [f"the {self.pd_gates.get(tier, 1.0):.1%} gate of {tier}" for tier in self.cutoffs]
        gate = self._gate_rank(pd_values)
        why = ["", f"inside the {self.buffer:.0%} buffer", f"moved within {self.periods} runs"]
        lacking = _lacking(parts)
        texts = []
        rows = zip(score.tolist(), value.tolist(), size.tolist(), reached, gate, rank, held, strict=True)
        for i, (s, v, z, line, barred, final, hold) in enumerate(rows):
            if lacking[i]:
                texts.append(lacking[i])
                continue
            text = f"score {s:,.0f} = value {v:,.0f} + {self.size_rate:g} x size {z:,.0f}"
            text += f" + need {need[i]:,.0f}" if self.need_rate else ""
            text += f", {lines[line]}"
            text += f" but PD {pd_values[i]:.1%} above {gates[barred - 1]}" if barred > line else ""
            text += f"; held at {self.tiers[final]}: {why[hold]}" if hold else ""
            texts.append(text)
        return texts

    def _apply_overrides(
        self,
        overrides: pd.DataFrame,
        ids: np.ndarray,
        run: pd.Timestamp | None,
        rank: np.ndarray,
        note: np.ndarray,
    ) -> None:
        """Set `rank` and `note` in place for the clients with an override."""
        check_columns(overrides.columns, _OVERRIDE_COLUMNS, subject="overrides")
        if run is None:
            raise InvalidParameterError("as_of must be given with overrides, which expire; got None.")
        table = overrides.assign(expires=pd.to_datetime(overrides["expires"], errors="coerce"))
        faults = list(_override_faults(table, self.tiers, run))
        if faults:
            raise DataError(f"overrides has {len(faults)} faults.", faults)
        order = {tier: i for i, tier in enumerate(self.tiers)}
        latest = table.sort_values("expires", kind="stable").drop_duplicates("client_id", keep="last")
        rows = latest.set_index("client_id")
        for position in np.flatnonzero(np.isin(ids, rows.index.to_numpy(dtype=object))):
            row = rows.loc[ids[position]]
            who = f"{row['tier']} by {row['owner']}: {row['reason']}"
            if row["expires"] < run:
                note[position] = f"expired {row['expires']:%Y-%m-%d}, not applied ({who})"
            else:
                rank[position] = order[row["tier"]]
                note[position] = f"{who}, until {row['expires']:%Y-%m-%d}"


def _faults(policy: TierPolicy) -> list[str]:
    """List every way in which the parameters contradict the rules."""
    faults = []
    amounts = [policy.cutoffs[tier] for tier in policy.cutoffs]
    if not amounts or not all(isinstance(a, int | float) and math.isfinite(a) for a in amounts):
        faults.append(f"cutoffs must be finite amounts, one a tier; got {dict(policy.cutoffs)!r}.")
    elif any(high <= low for high, low in itertools.pairwise(amounts)):
        listed = ", ".join(f"{tier}={amount:g}" for tier, amount in policy.cutoffs.items())
        faults.append(f"cutoffs must fall from the best tier down; got {listed}. Swap them?")
    if policy.otherwise in policy.cutoffs:
        faults.append(f"otherwise must be a tier without a cut-off; got {policy.otherwise!r}.")
    faults += [
        f"pd_gates: {tier!r} is not a tier with a cut-off.{did_you_mean(tier, policy.cutoffs)}"
        for tier in policy.pd_gates
        if tier not in policy.cutoffs
    ]
    rates = {f"pd_gates.{tier}": gate for tier, gate in policy.pd_gates.items()}
    rates |= {name: getattr(policy, name) for name in ("size_rate", "need_rate", "buffer", "watch_pd")}
    for name, rate in rates.items():
        faults += _interval_fault(name, rate, high=1.0)
    faults += _interval_fault("watch_dpd_days", policy.watch_dpd_days)
    faults += _interval_fault("periods", policy.periods, low=1.0)
    return faults


def _interval_fault(name: str, value: Any, low: float = 0.0, high: float = math.inf) -> list[str]:
    try:
        check_interval(name, value, low=low, high=high)
    except InvalidParameterError as error:
        return [error.message]
    return []


def _override_faults(table: pd.DataFrame, tiers: Sequence[str], run: pd.Timestamp) -> list[str]:
    """List every override that cannot be used: no tier, reason, owner or expiry; two at once."""
    faults = []
    for client, tier in zip(table["client_id"], table["tier"], strict=True):
        if tier not in tiers:
            hint = did_you_mean(str(tier), tiers)
            faults.append(f"client {client}: tier must be one of {', '.join(tiers)}; got {tier!r}.{hint}")
    for column in ("reason", "owner", "expires"):
        empty = table[column].isna() | (table[column].astype("str").str.strip() == "")
        faults += [f"client {client}: {column} must be given." for client in table.loc[empty, "client_id"]]
    active = table[table["expires"] >= run]
    twice = active.groupby("client_id")["tier"].nunique()
    faults += [f"client {client}: two overrides in force differ." for client in twice.index[twice > 1]]
    return faults


def _lacking(parts: Mapping[str, np.ndarray]) -> list[str]:
    """Return for each row the sentence that names its missing inputs, or an empty text."""
    codes = np.zeros(len(next(iter(parts.values()))), dtype=np.intp)
    for bit, values in enumerate(parts.values()):
        codes |= np.isnan(values) << bit
    texts = [""]
    for code in range(1, 2 ** len(parts)):
        names = [name for bit, name in enumerate(parts) if code >> bit & 1]
        texts.append(f"not evaluated: {', '.join(names)} missing")
    return [texts[code] for code in codes.tolist()]


def _number(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as float64, or all missing where it is absent."""
    if name not in frame.columns:
        return pd.Series(np.nan, index=frame.index, name=name)
    try:
        return frame[name].astype("float64")
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers; {error}.") from error


def _client_ids(frame: pd.DataFrame) -> np.ndarray:
    """Return the client ids from the column, the index level or the index itself."""
    if "client_id" in frame.columns:
        ids = frame["client_id"]
    elif "client_id" in frame.index.names:
        ids = frame.index.get_level_values("client_id")
    else:
        ids = frame.index.get_level_values(0)
    result: np.ndarray = ids.to_numpy(dtype=object)
    return result


def _run_date(frame: pd.DataFrame, as_of: Any) -> pd.Timestamp | None:
    """Return the one day of the run, or None where nothing says it."""
    if as_of is not None:
        return pd.Timestamp(as_of)
    if "as_of" in frame.columns:
        dates = pd.to_datetime(frame["as_of"]).unique()
    elif "as_of" in frame.index.names:
        dates = pd.to_datetime(frame.index.get_level_values("as_of")).unique()
    else:
        return None
    if len(dates) > 1:
        raise DataError(f"assign takes one as_of at a time; got {len(dates)}. Group the frame by as_of.")
    return pd.Timestamp(dates[0]) if len(dates) else None
