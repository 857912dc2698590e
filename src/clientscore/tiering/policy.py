"""The tier policy: cut-offs, gates and rules as checked data, for a book or for one client."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, did_you_mean
from clientscore._frames import ids_of, number_of, numbers_of
from clientscore.exceptions import PolicyError

from .faults import faults_of
from .fitting import by_capacity, by_shares, check_no_matrix, coverage_of
from .groups import groups_of
from .inputs import MISSING, history, history_of, lacking, red_of, red_signals, run_date
from .matrix import TierMatrix
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
    matrix : TierMatrix, default None
        Tiers by two measures in bands instead of the score; `cutoffs` then only name the tiers. PD gates,
        buffer, stay, overrides and watch act as before.

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
    matrix: TierMatrix | None = None

    def __post_init__(self) -> None:
        faults = faults_of(self)
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
        matrix = state.get("matrix")
        if isinstance(matrix, Mapping):
            return cls(**{**state, "matrix": TierMatrix.from_dict(matrix)})
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
        matrix = None if self.matrix is None else self.matrix.to_dict()
        return asdict(self) | lists | {"matrix": matrix}

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
        check_no_matrix(self.matrix)
        shares = shares or {"A": 0.15, "B": 0.35}
        return replace(self, cutoffs=by_shares(self.score(frame).to_numpy(), list(self.cutoffs), shares))

    def optimize_cutoffs(
        self,
        frame: pd.DataFrame,
        *,
        hours: Mapping[str, float],
        gain: Mapping[str, float],
        capacity_hours: float,
    ) -> TierPolicy:
        """Return a new policy whose cut-offs make the hours of coverage earn most.

        A client in a tier takes its hours and brings gain x score. The cut-offs are those of the linear
        program: one price for an hour, at which every client is in the tier that is worth it, PD gates held.

        Parameters
        ----------
        frame : DataFrame
            The book, with the columns of `assign`.
        hours : mapping of str to float
            Hours a year that a client of each tier takes; they fall from the best tier down.
        gain : mapping of str to float
            Share of the score that the service of each tier adds, in [0, 1]; falls from the best tier down.
            It is what serving better is worth: measure it (see the how-to on effects).
        capacity_hours : float
            Hours a year there are for the whole book.

        Returns
        -------
        TierPolicy

        Raises
        ------
        InvalidParameterError
            Hours or gains do not name the tiers or do not fall, or a tier is never worth its hours.
        DataError
            The hours do not even serve everybody in the last tier.

        Examples
        --------
        >>> book = pd.DataFrame({"size_amount": 0.0, "pd": 0.01, "value": [9e5, 5e5, 1e5, 2e4]})
        >>> hours, gain = {"A": 60, "B": 20, "C": 2}, {"A": 0.10, "B": 0.06, "C": 0.0}
        >>> policy = TierPolicy().optimize_cutoffs(book, hours=hours, gain=gain, capacity_hours=104)
        >>> policy.assign(book)["tier"].tolist()
        ['A', 'B', 'B', 'C']
        """
        check_no_matrix(self.matrix)
        coverage = coverage_of(self.tiers, hours, gain, capacity_hours)
        gate = self._gate_rank(numbers_of(frame, "pd"))
        cuts = by_capacity(self.score(frame).to_numpy(), gate, self.tiers, coverage)
        return replace(self, cutoffs=cuts)

    def assign(
        self,
        frame: pd.DataFrame,
        previous: pd.DataFrame | None = None,
        *,
        overrides: pd.DataFrame | None = None,
        as_of: Any = None,
        group: str | None = None,
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
        group : str, default None
            Column that names the group of a legal entity, such as "group_id": all members get the tier of
            their figures together (amounts added, the highest PD). Watch and overrides stay the entity's.
            None gives each legal entity a tier of its own.

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
        if group is None:
            rank, reason = self._decide(facts, past)
        else:
            groups = groups_of(frame, group, ids)
            found, told = self._decide(groups.together(facts), groups.past(past))
            told = groups.told(told, facts)
            rank, reason = found[groups.code], [told[code] for code in groups.code.tolist()]
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
        reached = self._reached(facts, score)
        plain = np.maximum(reached, gate)
        rank, held = self._with_history(facts, score, plain, gate, past)
        rank = np.where(np.isnan(score), MISSING, rank)
        return rank, self._reasons(facts, score, reached, gate, rank, held)

    def _measures(self, facts: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return what a matrix may read."""
        need = facts["need_amount_expected"]
        potential = self.size_rate * facts["size_amount"] + self.need_rate * np.where(
            np.isnan(need), 0.0, need
        )
        return {**facts, "potential": potential}

    def _reached(self, facts: Mapping[str, Floats], score: Floats, shift: float = 0.0) -> NDArray[np.intp]:
        """Position of the tier that the client reaches, lines moved away by a share of themselves."""
        if self.matrix is not None:
            return self.matrix.rank(self._measures(facts), self.tiers, shift)
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
        facts: Mapping[str, Floats],
        score: Floats,
        plain: NDArray[np.intp],
        gate: NDArray[np.intp],
        past: History | None,
    ) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
        """Tier after buffer and stay, and why it differs from the plain one (0 no, 1 buffer, 2 stay)."""
        if past is None:
            return plain, np.zeros(len(plain), dtype=np.int8)
        last, steady = past
        strict = self._gate_rank(facts["pd"], 1 - self.buffer)
        up = np.maximum(self._reached(facts, score, self.buffer), strict)
        down = np.maximum(self._reached(facts, score, -self.buffer), gate)
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
        cells = None if self.matrix is None else self.matrix.where(self._measures(facts))
        texts = []
        rows = zip(score.tolist(), value.tolist(), size.tolist(), reached, gate, rank, held, strict=True)
        for i, (s, v, z, line, barred, final, hold) in enumerate(rows):
            if empty[i]:
                texts.append(empty[i])
                continue
            if cells is None:
                text = f"score {s:,.0f} = value {v:,.0f} + {self.size_rate:g} x size {z:,.0f}"
                text += f" + need {need[i]:,.0f}" if self.need_rate else ""
                text += f", {lines[line]}"
            else:
                text = f"{cells[i]}: {self.tiers[line]}"
            text += f" but PD {pd_values[i]:.1%} above {gates[barred - 1]}" if barred > line else ""
            text += f"; held at {self.tiers[final]}: {why[hold]}" if hold else ""
            texts.append(text)
        return texts
