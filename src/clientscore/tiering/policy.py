"""The tier policy: cut-offs, gates and rules as checked data, for a book or for one client."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_interval, did_you_mean
from clientscore._frames import ids_of, number_of, numbers_of
from clientscore.exceptions import DataError, InvalidParameterError, PolicyError

from .inputs import MISSING, SIGNAL_SIDES, history, history_of, lacking, red_of, red_signals, run_date
from .overrides import apply_overrides

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from .inputs import Floats, History

__all__ = ["TierPolicy"]

_NEEDED = ("size_amount", "pd", "value")
_READ = (*_NEEDED, "need_amount_expected", "dpd_days")


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
    watch_signals : sequence of {"credit", "attrition"}, default ("credit",)
        Sides of early warning whose red puts a client on watch. A client that may leave needs an offer, and
        watch would bar it: name "attrition" only where your service plan knows the difference.

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
    watch_signals: Sequence[str] = ("credit",)

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise PolicyError(f"The tier policy has {len(faults)} fault{'s' * (len(faults) > 1)}.", faults)
        object.__setattr__(self, "cutoffs", dict(self.cutoffs))
        gates = {tier: float(self.pd_gates[tier]) for tier in self.cutoffs if tier in self.pd_gates}
        object.__setattr__(self, "pd_gates", gates)
        object.__setattr__(self, "watch_grades", tuple(self.watch_grades))
        object.__setattr__(self, "watch_signals", tuple(self.watch_signals))

    @classmethod
    def default(cls) -> TierPolicy:
        """Return the default policy."""
        return cls()

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TierPolicy:
        """Build from plain data; unknown keys are faults."""
        if not isinstance(state, Mapping):
            raise PolicyError(f"The tier policy must be a table of names and values; got {state!r}.")
        known = [item.name for item in fields(cls)]
        unknown = [name for name in state if name not in known]
        if unknown:
            faults = [f"{name!r} is unknown.{did_you_mean(name, known)}" for name in unknown]
            raise PolicyError(
                f"The tier policy has {len(faults)} unknown key{'s' * (len(faults) > 1)}.", faults
            )
        return cls(**state)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> TierPolicy:
        """Read the table ``[tiers]`` of a TOML file, or the whole file where there is none.

        Raises
        ------
        PolicyError
            The file cannot be opened, is not TOML, or the policy in it has faults.
        """
        try:
            document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise PolicyError(f"{path} cannot be opened ({error.strerror}). Check the path.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PolicyError(f"{path} must be a TOML file in UTF-8; {error}.") from error
        return cls.from_dict(document.get("tiers", document))

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as plain data."""
        lists = {name: list(getattr(self, name)) for name in ("watch_grades", "watch_signals")}
        return asdict(self) | lists

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
        score = self._score({name: numbers_of(frame, name) for name in _READ})
        return pd.Series(score, index=frame.index, name="score")

    def _score(self, facts: Mapping[str, Floats]) -> Floats:
        score = facts["value"] + self.size_rate * facts["size_amount"]
        if self.need_rate:
            need = facts["need_amount_expected"]
            score = score + self.need_rate * np.where(np.isnan(need), 0.0, need)
        return np.where(np.isnan(facts["pd"]), np.nan, score)

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
            `grade`, and the early warning `credit_signal_state`, `attrition_signal_state` ("green", "amber",
            "red" or missing) where present.
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
            boolean; missing where PD and grade are unknown and no other sign is bad), `tier_reason`,
            `override` (what was applied or has expired; missing where there is none).

        Raises
        ------
        MissingColumnError
            A needed column is absent.
        DataError
            A column does not hold numbers, or `previous` or `overrides` hold what cannot be used.
        """
        check_columns(frame.columns, _NEEDED, subject="TierPolicy")
        facts = {name: numbers_of(frame, name) for name in _READ}
        none = np.zeros(len(frame), dtype=bool)
        graded = frame["grade"].notna().to_numpy() if "grade" in frame.columns else none
        barred = frame["grade"].isin(self.watch_grades).to_numpy() if "grade" in frame.columns else none
        barred = barred | red_signals(frame, self.watch_signals)
        run = None if previous is None and overrides is None else run_date(frame, as_of)
        ids = ids_of(frame)
        past = None if previous is None else history(ids, previous, run, self.tiers, self.periods)
        rank, reason = self._decide(facts, past)
        watch, known = self._watch(facts, graded, barred)
        note = np.full(len(frame), None, dtype=object)
        if overrides is not None:
            apply_overrides(overrides, ids, run, self.tiers, rank, note)
        labels = np.array([*self.tiers, None], dtype=object)  # position -1 is the missing tier
        return pd.DataFrame(
            {
                "tier": pd.Series(labels[rank], index=frame.index, dtype="str"),
                "watch": pd.Series(pd.array(watch, dtype="boolean"), index=frame.index).where(known),
                "tier_reason": pd.Series(reason, index=frame.index, dtype="str"),
                "override": pd.Series(note, index=frame.index, dtype="str"),
            }
        )

    def assign_one(
        self,
        facts: Mapping[str, Any],
        previous: Sequence[Mapping[str, Any]] | None = None,
        *,
        as_of: Any = None,
    ) -> dict[str, Any]:
        """Give one client its tier, a mapping in and a dict out, without pandas on the way.

        Parameters
        ----------
        facts : mapping
            Values by column name, as in `assign`; None and NaN are missing.
        previous : sequence of mapping, default None
            Earlier runs of this client: `as_of`, `tier`. The last `periods` of them count.
        as_of : date, default None
            Day of the run; None takes ``facts["as_of"]`` where present. Runs from then on do not count.

        Returns
        -------
        dict
            `tier`, `watch`, `tier_reason` as in `assign`, None where missing. Overrides are of whole runs.

        Raises
        ------
        MissingColumnError
            A needed value is absent.
        DataError
            A value is not a number, or `previous` holds what cannot be used.

        Examples
        --------
        >>> one = TierPolicy.default().assign_one({"size_amount": 1e9, "pd": 0.01, "value": 3e6})
        >>> one["tier"], one["watch"]
        ('A', False)
        """
        if not set(_NEEDED) <= facts.keys():
            check_columns(facts, _NEEDED, subject="TierPolicy")
        columns = {name: number_of(facts, name) for name in _READ}
        grade = facts.get("grade")
        run = facts.get("as_of") if as_of is None else as_of
        past = None if previous is None else history_of(previous, run, self.tiers, self.periods)
        rank, reason = self._decide(columns, past)
        bad = grade in self.watch_grades or red_of(facts, self.watch_signals)
        graded, barred = np.array([isinstance(grade, str)]), np.array([bad])
        watch, known = self._watch(columns, graded, barred)
        return {
            "tier": None if rank[0] == MISSING else self.tiers[rank[0]],
            "watch": bool(watch[0]) if known[0] else None,
            "tier_reason": reason[0],
        }

    def _decide(
        self, facts: Mapping[str, Floats], past: History | None
    ) -> tuple[NDArray[np.intp], list[str]]:
        """Return position of the tier (-1 missing) and reason: the one rule behind a book and a client."""
        score = self._score(facts)
        gate = self._gate_rank(facts["pd"])
        reached = self._score_rank(score)
        plain = np.maximum(reached, gate)
        rank, held = self._with_history(score, facts["pd"], plain, gate, past)
        rank = np.where(np.isnan(score), MISSING, rank)
        return rank, self._reasons(facts, score, reached, gate, rank, held)

    def _score_rank(self, score: Floats, shift: float = 0.0) -> NDArray[np.intp]:
        """Position of the best tier whose cut-off, moved by a share of itself, the score reaches."""
        rank = np.zeros(len(score), dtype=np.intp)
        for amount in self.cutoffs.values():
            rank += ~(score >= amount + shift * abs(amount))
        return rank

    def _gate_rank(self, pd_values: Floats, shrink: float = 1.0) -> NDArray[np.intp]:
        """Position of the best tier that the PD allows."""
        rank = np.zeros(len(pd_values), dtype=np.intp)
        for position, tier in enumerate(self.cutoffs):
            above = pd_values > self.pd_gates.get(tier, 1.0) * shrink
            rank[above] = np.maximum(rank[above], position + 1)
        return rank

    def _with_history(
        self,
        score: Floats,
        pd_values: Floats,
        plain: NDArray[np.intp],
        gate: NDArray[np.intp],
        past: History | None,
    ) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
        """Tier after buffer and stay, and why it differs from the plain one (0 no, 1 buffer, 2 stay)."""
        if past is None:
            return plain, np.zeros(len(plain), dtype=np.int8)
        last, steady = past
        up = np.maximum(self._score_rank(score, self.buffer), self._gate_rank(pd_values, 1 - self.buffer))
        down = np.maximum(self._score_rank(score, -self.buffer), gate)
        moved = np.where(up < last, up, np.where(down > last, down, last))
        stay = np.maximum(last, gate)  # credit acts at once
        rank = np.where(last == MISSING, plain, np.where(steady, moved, stay))
        held = np.where(rank == plain, 0, np.where(steady, 1, 2)).astype(np.int8)
        return rank, held

    def _watch(
        self, facts: Mapping[str, Floats], graded: NDArray[np.bool_], barred: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where any sign is bad, and where that is known: with a PD, a grade or a bad sign."""
        bad = (facts["pd"] >= self.watch_pd) | (facts["dpd_days"] >= self.watch_dpd_days) | barred
        return bad, bad | graded | ~np.isnan(facts["pd"])

    def _reasons(
        self,
        facts: Mapping[str, Floats],
        score: Floats,
        reached: NDArray[np.intp],
        gate: NDArray[np.intp],
        rank: NDArray[np.intp],
        held: NDArray[np.int8],
    ) -> list[str]:
        """One sentence a client: the score, its parts, the line it reached, the gate, the history."""
        value, size, pd_values = facts["value"], facts["size_amount"], facts["pd"]
        need = (score - value - self.size_rate * size).tolist()
        lines = [f"at least {amount:,.0f} for {tier}" for tier, amount in self.cutoffs.items()]
        lines.append("below {1:,.0f} for {0}".format(*list(self.cutoffs.items())[-1]))
        gates = [f"the {self.pd_gates.get(tier, 1.0):.1%} gate of {tier}" for tier in self.cutoffs]
        why = ["", f"inside the {self.buffer:.0%} buffer", f"moved within {self.periods} runs"]
        empty = lacking({name: facts[name] for name in _NEEDED})
        texts = []
        rows = zip(score.tolist(), value.tolist(), size.tolist(), reached, gate, rank, held, strict=True)
        for i, (s, v, z, line, barred, final, hold) in enumerate(rows):
            if empty[i]:
                texts.append(empty[i])
                continue
            text = f"score {s:,.0f} = value {v:,.0f} + {self.size_rate:g} x size {z:,.0f}"
            text += f" + need {need[i]:,.0f}" if self.need_rate else ""
            text += f", {lines[line]}"
            text += f" but PD {pd_values[i]:.1%} above {gates[barred - 1]}" if barred > line else ""
            text += f"; held at {self.tiers[final]}: {why[hold]}" if hold else ""
            texts.append(text)
        return texts


def _faults(policy: TierPolicy) -> list[str]:
    """List every way in which the parameters contradict the rules."""
    faults = [
        f"{name} must map tiers to numbers, such as {{'A': 1.0}}; got {getattr(policy, name)!r}."
        for name in ("cutoffs", "pd_gates")
        if not isinstance(getattr(policy, name), Mapping)
    ]
    if faults:
        return faults
    if isinstance(policy.watch_grades, str):
        faults.append(f"watch_grades must be a list of grades; got {policy.watch_grades!r}.")
    sides = policy.watch_signals
    if isinstance(sides, str) or not isinstance(sides, Sequence) or not set(sides) <= set(SIGNAL_SIDES):
        faults.append(f"watch_signals must be a list out of {', '.join(SIGNAL_SIDES)}; got {sides!r}.")
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
