"""Fit the free tables of a card anew after an edit: one factor a table and the intercept.

The frozen tables are an offset.  On public credit data (150,000 consumers, the strongest feature made flat)
factors won back as much of the loss out of sample as moving every row by ridge did, at a hundredth of the
cost, and they keep every shape that people have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from scipy.optimize import minimize

from clientscore._checks import check_interval, check_option, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

from ._bins import encode
from ._card_data import CardData
from ._edit import is_frozen
from ._rules import check_weight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from ._edit_rows import Signature
    from ._term import Term

Card = TypeVar("Card", bound=CardData)
Keep = Literal["keep"]
_SIGNS = {"increasing": 1, "decreasing": -1}
_SLACK = 1e-9  # log-odds by which a step may miss its direction: rounding


@dataclass(frozen=True)
class RefitSettings:
    """Directions that must hold after a refit, and how strongly factors are drawn to 1."""

    monotone: Keep | Mapping[str, str] | None = "keep"
    ridge: float = 16.0

    def __post_init__(self) -> None:
        check_interval("ridge", self.ridge, low=0, closed="neither")
        if isinstance(self.monotone, str):
            check_option("monotone", self.monotone, Keep)


@dataclass(frozen=True, eq=False)
class _Data:
    """Outcome, weight (mean 1), log-odds of the card as it is, and the value of every term."""

    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    score: NDArray[np.float64]
    parts: NDArray[np.float64]  # (n, n_terms)

    def loss(self, score: NDArray[np.float64]) -> float:
        """Return the summed log loss of log-odds."""
        return float(self.weight @ (np.logaddexp(0.0, score) - self.y * score))


def refit(
    card: Card,
    X: pd.DataFrame,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    settings: RefitSettings,
    signature: Signature,
) -> Card:
    """Return the card with its free tables fitted anew; see :meth:`EditableCard.refit`."""
    faults = signature.faults()
    if len(card.outputs) > 1 or card.link != "logit":
        faults.append(
            f"A refit needs one output and the link 'logit'; got {len(card.outputs)} and {card.link!r}."
        )
    if all(is_frozen(term, card.frozen) for term in card.terms):
        faults.append("Every table is frozen; unfreeze one.")
    signs = {} if faults else _signs(card, settings.monotone, faults)
    if faults:
        raise InvalidParameterError("The card cannot be refitted.", faults)
    data = _data(card, encode(card.bins, X), y, sample_weight)
    free = [place for place, term in enumerate(card.terms) if not is_frozen(term, card.frozen)]
    found, shift = _factors(data, free, settings.ridge, _constraints(card, free, signs))
    factors = np.ones(len(card.terms))
    factors[free] = found
    terms = tuple(map(_scaled, card.terms, factors.tolist()))
    new = replace(card, terms=terms, intercept=(card.intercept[0] + shift,))
    total = float(data.weight.sum())
    after = data.loss(data.score + shift + data.parts @ (factors - 1))
    edit = signature.edit(
        "refit",
        "",
        clients=len(data.y),
        factors={term.name: float(factor) for term, factor in zip(card.terms, factors, strict=True)},
        intercept=[card.intercept[0], new.intercept[0]],
        monotone={name: "increasing" if sign > 0 else "decreasing" for name, sign in signs.items()},
        ridge=settings.ridge,
        loss=[data.loss(data.score) / total, after / total],
    )
    return replace(new, edits=(*card.edits, edit))


def _scaled(term: Term, factor: float) -> Term:
    return term if factor == 1.0 else term.scaled(np.array([factor]))


def _data(card: CardData, codes: NDArray[Any], y: ArrayLike, sample_weight: ArrayLike | None) -> _Data:
    target, n = np.asarray(y, dtype=float), len(codes)
    if target.shape != (n,) or not np.isin(target, (0, 1)).all():
        raise DataError(f"y must hold 0 or 1 for each of the {n} rows of X; got the shape {target.shape}.")
    weight = check_weight(sample_weight, n)
    if len(set(target[weight > 0].tolist())) < 2:
        raise DataError("A refit needs both classes of y with weight; only one occurs.")
    parts = np.empty((n, len(card.terms)), order="F")
    for place, term in enumerate(card.terms):
        columns = tuple(codes[:, card.features.index(name)] for name in term.features)
        parts[:, place] = term.values[..., 0][columns]
    return _Data(target, weight * (n / weight.sum()), card.intercept[0] + parts.sum(axis=1), parts)


# ---- directions --------------------------------------------------------------------------------------


def _signs(card: CardData, monotone: Keep | Mapping[str, str] | None, faults: list[str]) -> dict[str, int]:
    """Return the direction of every feature that has to keep one; fault where it does not hold now."""
    numbers = [one.name for one in card.bins if one.kind == "number" and one.name in card.scored_features]
    if monotone is None:
        return {}
    if isinstance(monotone, str):
        return {name: sign for name in numbers for sign in (1, -1) if _holds(card, name, sign)}
    signs = {}
    for name, word in monotone.items():
        if name not in numbers:
            faults.append(f"monotone: {name!r} is no scored number.{did_you_mean(name, numbers)}")
        elif word not in _SIGNS:
            faults.append(f"monotone: {name!r} must be 'increasing' or 'decreasing'; got {word!r}.")
        elif not _holds(card, name, _SIGNS[word]):
            faults.append(f"monotone: {name!r} is not {word} now; merge or set its rows first.")
        else:
            signs[name] = _SIGNS[word]
    return signs


def _holds(card: CardData, name: str, sign: int) -> bool:
    """Return whether the effect of a number has a direction whatever its partners in pairs are."""
    least = sum(_least_steps(card, term, name, sign) for term in card.terms)
    return bool((np.asarray(least) >= -_SLACK).all())


def _least_steps(card: CardData, term: Term, name: str, sign: int) -> NDArray[np.float64]:
    """Return by how much at least, in a direction, each value row of a feature lies above the one before."""
    bins = {one.name: one for one in card.bins}
    n = bins[name].n_values
    if name not in term.features:
        return np.zeros(n - 1)
    table = np.moveaxis(term.values[..., 0], term.features.index(name), 0)[:n].reshape(n, -1)
    partner = [one for one in term.features if one != name]
    if partner:  # a row that training never met scores 0 or as decided, in no direction
        table = np.delete(table, bins[partner[0]].declared, axis=1)
    return np.asarray((sign * np.diff(table, axis=0)).min(axis=1))


# ---- the fit -----------------------------------------------------------------------------------------


def _constraints(
    card: CardData, free: Sequence[int], signs: Mapping[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A and b: every direction holds, whatever the partners in pairs, where A @ factors + b >= 0.

    A step to the next row changes the log-odds by the sum over tables of factor times step; the least step of
    a pair over its partner's rows is the same partner's row for every factor >= 0.
    """
    rows, constants = [], []
    for name, sign in signs.items():
        steps = np.array([_least_steps(card, term, name, sign) for term in card.terms])
        frozen = np.delete(steps, free, axis=0).sum(axis=0)
        binding = (steps[free] < 0).any(axis=0) | (frozen < 0)
        rows.append(steps[free][:, binding].T)
        constants.append(frozen[binding])
    if not rows:
        return np.empty((0, len(free))), np.empty(0)
    both = np.unique(np.column_stack([np.concatenate(rows), np.concatenate(constants)]), axis=0)
    return both[:, :-1], both[:, -1]


def _factors(
    data: _Data, free: Sequence[int], ridge: float, held: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], float]:
    """Return a factor >= 0 for every free term and the shift of the intercept: the least penalized loss."""
    design = data.parts[:, free]
    spread = design.std(axis=0)
    spread[spread == 0] = 1.0
    n = len(data.y)

    def objective(step: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        change = step[1:] / spread
        score = data.score + step[0] + design @ change
        error = data.weight * (np.exp(-np.logaddexp(0.0, -score)) - data.y)
        slope = np.concatenate([[error.sum()], (design.T @ error + ridge * change) / spread])
        return (data.loss(score) + ridge / 2 * float(change @ change)) / n, slope / n

    matrix, constant = held
    start = np.zeros(len(free) + 1)
    how: dict[str, Any] = {"method": "L-BFGS-B", "options": {"maxiter": 500, "ftol": 1e-10}}
    if len(matrix):
        jacobian = np.column_stack([np.zeros(len(matrix)), matrix / spread])
        now = matrix.sum(axis=1) + constant + _SLACK / 2  # room for rounding, or no step is allowed
        constraint = {"type": "ineq", "fun": lambda step: jacobian @ step + now, "jac": lambda _: jacobian}
        how = {"method": "SLSQP", "options": {"maxiter": 200, "ftol": 1e-10}, "constraints": [constraint]}
    bounds = [(None, None), *((-one, None) for one in spread.tolist())]
    found = minimize(objective, start, jac=True, bounds=bounds, **how)
    factors = np.maximum(1.0 + found.x[1:] / spread, 0.0)
    holds = not len(matrix) or float((matrix @ factors + constant).min()) > -_SLACK
    if not holds or found.fun > objective(start)[0]:
        return np.ones(len(free)), 0.0
    return factors, float(found.x[0])
