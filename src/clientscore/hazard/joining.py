"""The cards of the causes, learned apart, as one card of the hazard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.additive import AdditiveCard, Term
from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clientscore.additive import FeatureBins

    Floats = NDArray[np.float64]

_TRIM_SHARE = 0.01  # of the spread of the log odds: what the pairs left out may move, together


def trim(card: AdditiveCard, codes: NDArray[Any], weight: Floats) -> AdditiveCard:
    """Return a card of one output without its weakest pairs.

    Pairs are left out, the smallest spread first, while the spread of all that is left out stays below 1 % of
    the spread of the log odds: they would cost time at every score and move none.

    Parameters
    ----------
    card : AdditiveCard
        A card of one output.
    codes : ndarray of shape (n, n_features)
        Row numbers of clients to judge by.
    weight : ndarray of shape (n,)
        Their weights.
    """
    column = {name: j for j, name in enumerate(card.features)}
    pairs = [k for k, term in enumerate(card.terms) if len(term.features) == 2]

    def spread(k: int) -> float:
        first, second = (codes[:, column[name]] for name in card.terms[k].features)
        return _spread(card.terms[k].values[first, second, 0], weight)

    size = {k: spread(k) for k in pairs}
    pairs.sort(key=lambda k: size[k])
    joint = np.sqrt(np.cumsum([size[k] ** 2 for k in pairs]))
    most = _TRIM_SHARE * _spread(card.decision_codes(codes), weight)
    weak = set(pairs[: int(np.searchsorted(joint, most, side="right"))])
    return replace(card, terms=tuple(term for k, term in enumerate(card.terms) if k not in weak))


def _spread(values: Floats, weight: Floats) -> float:
    mean = np.average(values, weights=weight)
    return float(np.sqrt(np.average(np.square(values - mean), weights=weight)))


def join_cards(cards: Mapping[str, AdditiveCard]) -> AdditiveCard:
    """Return one card whose outputs are the decisions of the cards given.

    The log odds of each class against a reference class, learned apart on the rows of both (Begg and Gray,
    1984), are the outputs of a multinomial model: its link is "multilogit", for a single card "logit".

    Parameters
    ----------
    cards : mapping of str to AdditiveCard
        Name of each output and its card; every card has one output and the same rows of the same features.

    Returns
    -------
    AdditiveCard
        Terms of one feature first, then pairs, each in the order of the features; a card that lacks a term
        has zeros there.

    Raises
    ------
    DataError
        If no card is given, a card has several outputs, or the rows of features differ.

    References
    ----------
    Begg, C. B., Gray, R. (1984). Calculation of polychotomous logistic regression parameters using
    individualized regressions. Biometrika 71(1). https://doi.org/10.1093/biomet/71.1.11

    Examples
    --------
    >>> from clientscore.additive import AdditiveCard, FeatureBins, Term
    >>> bins = (FeatureBins("roa", "number", edges=(0.0,)),)
    >>> def card(low):
    ...     table = Term(("roa",), np.array([[low], [0.0], [0.0], [0.0]]))
    ...     return AdditiveCard(("y",), (-3.0,), bins, (table,))
    >>> join_cards({"default": card(0.7), "closure": card(0.1)}).decision_one({"roa": -0.1})
    {'default': -2.3, 'closure': -2.9}
    """
    parts = list(cards.values())
    faults = [
        f"{name!r} has {len(one.outputs)} outputs" for name, one in cards.items() if len(one.outputs) > 1
    ]
    if not parts or faults:
        raise DataError(f"join_cards needs cards of one output each; {', '.join(faults) or 'got none'}.")
    bins = tuple(_same_bins(versions) for versions in zip(*(one.bins for one in parts), strict=True))
    column = {one.name: j for j, one in enumerate(bins)}
    tables = [{term.features: term for term in one.terms} for one in parts]
    named = sorted(
        {features for table in tables for features in table},
        key=lambda features: (len(features), [column[name] for name in features]),
    )
    said = [note for note in parts[0].notes if all(note in one.notes for one in parts)]
    return AdditiveCard(
        tuple(cards),
        tuple(one.intercept[0] for one in parts),
        bins,
        tuple(_stack([table.get(features) for table in tables]) for features in named),
        "multilogit" if len(parts) > 1 else parts[0].link,
        tuple(said),
    )


def _same_bins(versions: Sequence[FeatureBins]) -> FeatureBins:
    """Return the bins of one feature: a row is met where the rows of any card met it."""
    unmet = set(versions[0].unmet).intersection(*(one.unmet for one in versions))
    missing, other = (any(getattr(one, name) for one in versions) for name in ("missing", "other"))
    plain = {replace(one, missing=missing, other=other, unmet=tuple(sorted(unmet))) for one in versions}
    if len(plain) > 1:
        raise DataError(
            f"join_cards needs the same rows in every card; those of {versions[0].name!r} differ."
        )
    return plain.pop()


def _stack(terms: Sequence[Term | None]) -> Term:
    """Return the term with an output a card."""
    known = [term for term in terms if term is not None]
    empty = np.zeros_like(known[0].values)
    values = np.concatenate([empty if term is None else term.values for term in terms], axis=-1)
    deviation = None
    if all(term.deviation is not None for term in known):
        deviation = np.concatenate([empty if term is None else term.deviation for term in terms], axis=-1)
    return Term(known[0].features, values, known[0].share, deviation)
