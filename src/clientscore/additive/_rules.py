"""Rules for what learn_boosted is given, and how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import check_integer, check_option, did_you_mean
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._bins import FeatureBins
    from ._fold import Pair

_SIGNS = {"increasing": 1, "decreasing": -1}
_SHAPES = (*_SIGNS, "peak", "valley")


def check_target(
    y: ArrayLike, codes: NDArray[Any], bins: Sequence[FeatureBins], objective: str, n_classes: int
) -> NDArray[np.float64]:
    """Return y as floats that suit the objective."""
    if codes.ndim != 2 or codes.shape[1] != len(bins):
        raise InvalidParameterError(
            f"codes must have one column for each of the {len(bins)} bins; got the shape {codes.shape}."
        )
    if not len(bins) or not len(codes):
        raise DataError(f"A card needs rows and features to learn from; got the shape {codes.shape}.")
    return check_outcome(y, len(codes), objective, n_classes)


def check_outcome(y: ArrayLike, n: int, objective: str, n_classes: int) -> NDArray[np.float64]:
    """Return y as floats that suit the objective, one a row."""
    target = np.asarray(y, dtype=float)
    if target.shape != (n,) or not np.isfinite(target).all():
        raise DataError(f"y must hold one finite number for each of the {n} rows.")
    top = {"binary": 1, "multiclass": n_classes - 1}.get(objective)
    if top is not None and not np.isin(target, np.arange(top + 1)).all():
        raise DataError(f"y must hold whole numbers from 0 to {top} for the objective {objective!r}.")
    return target


def check_weight(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Return one finite weight >= 0 a row."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise DataError(f"sample_weight must hold {n} finite numbers >= 0, not all 0.")
    return weight


def monotone_signs(
    monotone: Mapping[str, str] | None, bins: Sequence[FeatureBins], objective: str
) -> tuple[int, ...] | None:
    """Return +1, -1 or 0 a feature, or None where nothing is asked."""
    if not monotone:
        return None
    if objective == "multiclass":
        raise InvalidParameterError(
            "monotone is for the objectives 'binary' and 'regression': with several classes a direction of "
            "one log odds does not bound the others. Leave it out."
        )
    return tuple(_SIGNS.get(word, 0) for word in directions(monotone, bins, tuple(_SIGNS), ""))


def directions(
    monotone: Mapping[str, str], bins: Sequence[FeatureBins], allowed: Sequence[str], otherwise: str
) -> list[str]:
    """Return the direction of each feature, `otherwise` for those not named; list all faults at once."""
    kinds = {one.name: one.kind for one in bins}
    *first, last = map(repr, allowed)
    faults = []
    for name, direction in monotone.items():
        if name not in kinds:
            faults.append(f"{name!r} is no feature.{did_you_mean(name, kinds)}")
        elif kinds[name] == "category" and direction in _SHAPES:
            faults.append(f"{name!r} is a category, which has no direction.")
        if direction not in allowed:
            faults.append(f"{name!r} must be {', '.join(first)} or {last}; got {direction!r}.")
    if faults:
        raise InvalidParameterError("monotone must map numeric features to a direction.", faults)
    return [monotone.get(one.name, otherwise) for one in bins]


def fixed_pairs(
    interactions: str | int | Sequence[tuple[str, str]], bins: Sequence[FeatureBins]
) -> tuple[Pair, ...] | None:
    """Return the pairs that a list (or 0) allows, or None where data decides."""
    if isinstance(interactions, str):
        check_option("interactions", interactions, ("auto", "all"))
        return None
    if isinstance(interactions, int | np.integer):
        check_integer("interactions", interactions, low=0)
        return () if interactions == 0 else None
    place = {one.name: j for j, one in enumerate(bins)}
    pairs: set[Pair] = set()
    for pair in interactions:
        names = tuple(pair)
        unknown = [name for name in names if name not in place]
        if len(names) != 2 or isinstance(pair, str) or unknown or names[0] == names[1]:
            hint = did_you_mean(unknown[0], place) if unknown and not isinstance(pair, str) else ""
            raise InvalidParameterError(f"interactions must pair two features; got {pair!r}.{hint}")
        a, b = sorted(place[name] for name in names)
        pairs.add((a, b))
    return tuple(sorted(pairs))
