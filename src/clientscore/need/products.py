"""Which product, and for which purpose: shares learned from past needs, and what they fall back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clientscore.additive import AdditiveCard, learn_boosted

from .likeliest import likeliest_code, words
from .purpose import PURPOSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .encoded import Encoded
    from .purpose import PurposeRules

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ALL = "all"
RARE = "(rare)"
_PRIOR_DRAWINGS = 20.0  # weight of the overall product shares in a purpose's own
_MIN_NEEDS = 300  # fewer needs with a product: shares by purpose
_BLOCK = 16_384  # rows that stay near the processor
_MIN_PRODUCT = 30  # rarer products are one class, split by their overall shares


class ProductModel:
    """Share of each product, or of each purpose, in the needs of a client.

    A multinomial card on the features, where at least 300 needs carry a product and two products were met
    30 times each; rarer products are one class of the card, divided as they are in all needs.  The card is
    used only where its likelihood out of bag is higher than that of the shares by purpose, as the signs name
    it, which are also what is left with fewer needs.  Past purposes are learned in the same way as products.

    Attributes
    ----------
    shares : DataFrame
        Share of each product by purpose (``all`` where there is none), rows adding to 1.
    card : AdditiveCard or None
        Log odds of each product, or class of rare ones, against the most frequent.
    method : str
        What the shares come from, in words.
    """

    def __init__(self, shares: pd.DataFrame, card: AdditiveCard | None, method: str) -> None:
        self.shares = shares
        self.card = card
        self.method = method
        self.names = [str(name) for name in shares.columns]
        self._by_purpose = shares.to_numpy(np.float64)
        self._split = None if card is None else self._classes(card)

    @classmethod
    def fit(
        cls, encoded: Encoded, product: pd.Series, purpose: pd.Series, clients: Ints, seed: int
    ) -> ProductModel:
        """Learn from the needs with a known product."""
        shares = product_shares(purpose, product)
        counts = product.value_counts()
        usual = counts.index[counts >= _MIN_PRODUCT]
        fallback = f"shares by purpose, from {len(product)} needs"
        if len(product) < _MIN_NEEDS or len(usual) < 2:
            why = f"a card takes {_MIN_NEEDS}, and two products met {_MIN_PRODUCT} times each"
            return cls(shares, None, f"{fallback}: {why}")
        label = product.where(product.isin(usual), RARE).to_numpy(dtype=object)
        names = [*usual, RARE] if (label == RARE).any() else list(usual)
        classes = pd.Index(names).get_indexer(label)
        card, report = learn_boosted(
            encoded.codes,
            encoded.bins,
            classes,
            objective="multiclass",
            outputs=names[1:],
            groups=clients,
            n_bags=2,
            valid_share=0.2,
            max_rounds=300,
            learning_rate=0.1,
            feature_fraction=0.3,
            interactions=0,
            random_state=seed,
        )
        model = cls(shares, card, f"card on {len(card.scored_features)} features, from {len(product)} needs")
        odds = report.out_of_bag.reshape(len(product), -1)
        judged = np.flatnonzero(~np.isnan(odds).any(axis=1))
        own = pd.Index(model.names).get_indexer(product.iloc[judged])
        by_card = model._spread(_softmax(odds[judged]))
        by_purpose = model._by_purpose[model.rows(purpose.iloc[judged])]
        if _log_loss(by_card, own) < _log_loss(by_purpose, own):
            return model
        return cls(shares, None, f"{fallback}: a card on features was no better out of bag")

    def predict(self, X: pd.DataFrame, purpose: Ints, codes: NDArray[Any] | None = None) -> Floats:
        """Return the shares, (n, n_products), each product's in one piece.

        `purpose` are rows of `shares`, `codes` the row numbers of the card, where known.
        """
        shares = np.empty((len(self.names), len(X)))
        if self.card is None:
            shares[:] = self._by_purpose.T[:, purpose]
            return shares.T
        codes = self.card.encode(X) if codes is None else codes
        for start in range(0, len(X), _BLOCK):
            rows = slice(start, start + _BLOCK)
            odds = self.card.decision_codes(codes[rows])
            shares[:, rows] = self._spread(_softmax(odds.reshape(len(odds), len(self.card.outputs)))).T
        return shares.T

    def predict_one(
        self, values: Mapping[str, Any], purpose: str | None, codes: list[int] | None = None
    ) -> dict[str, float]:
        """Return the shares of one client by product; `codes` are its row numbers, where known."""
        if self.card is None:
            row = self._by_purpose[self.shares.index.get_loc(purpose or ALL)]
        else:
            codes = self.card.codes_one(values) if codes is None else codes
            odds = np.array([self.card.decision_codes_one(codes)])
            row = self._spread(_softmax(odds))[0]
        return dict(zip(self.names, row.tolist(), strict=True))

    def rows(self, purpose: pd.Series) -> Ints:
        """Return the row of `shares` for each purpose."""
        place = self.shares.index.get_indexer(purpose.to_numpy(dtype=object))
        return np.asarray(np.where(place < 0, self.shares.index.get_loc(ALL), place), dtype=np.int64)

    def _classes(self, card: AdditiveCard) -> Floats:
        """Return the share of each product in each class of the card: (n_classes, n_products)."""
        overall = self.shares.loc[ALL]
        rest = overall.drop(labels=[name for name in card.outputs if name != RARE])
        reference = str(rest.idxmax())  # the most frequent of all; the others are rare
        rare = overall.where(overall.index.isin(rest.index.drop(reference)), 0.0).to_numpy(np.float64)
        table = np.zeros((len(card.outputs) + 1, len(self.names)))
        for row, name in enumerate((reference, *card.outputs)):
            if name == RARE:
                table[row] = rare / rare.sum()
            else:
                table[row, self.names.index(name)] = 1.0
        return table

    def _spread(self, classes: Floats) -> Floats:
        """Divide the class of rare products."""
        return np.asarray(classes @ np.asarray(self._split))

    def to_state(self) -> dict[str, Any]:
        """Return the model as dicts, lists and arrays."""
        return {
            "purposes": [str(name) for name in self.shares.index],
            "products": self.names,
            "shares": self._by_purpose,
            "card": None if self.card is None else self.card.to_state(),
            "method": self.method,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ProductModel:
        """Return the model that `to_state` wrote."""
        shares = pd.DataFrame(state["shares"], index=list(state["purposes"]), columns=list(state["products"]))
        card = None if state.get("card") is None else AdditiveCard.from_state(state["card"])
        return cls(shares, card, str(state.get("method", "shares by purpose")))


class PastNeeds(NamedTuple):
    """Needs to learn from: features, target, client numbers, and the features as numbers of bins."""

    X: pd.DataFrame
    target: pd.DataFrame
    clients: Ints
    encoded: Encoded


def learn_what_for(
    past: PastNeeds, signs: PurposeRules, random_state: int | None
) -> tuple[ProductModel | None, ProductModel | None]:
    """Learn the products and the purposes of past needs; None for either where it is not known.

    Purposes take as many needs as a card does: fewer say less than the signs of the moment.  Words that are
    no purpose of `PURPOSES` are left out.
    """
    seed = int(np.random.default_rng(random_state).integers(2**31 - 1))
    products = purposes = None
    if "product" in past.target:
        products = _learn(past, past.target["product"], signs, seed)
    if "purpose" in past.target:
        label = past.target["purpose"]
        label = label.where(label.isin(list(PURPOSES)))
        if label.notna().sum() >= _MIN_NEEDS:
            purposes = _learn(past, label, signs, seed)
    return products, purposes


def _learn(past: PastNeeds, label: pd.Series, signs: PurposeRules, seed: int) -> ProductModel | None:
    """Learn from the needs with a known label; None where there is none."""
    known = label.notna().to_numpy()
    if not known.any():
        return None
    code = likeliest_code(signs.score_arrays(past.X[known]), int(known.sum()))
    said = words(code, list(PURPOSES), label.index[known], "purpose")
    clients, encoded = past.clients[known], past.encoded.part(known)
    return ProductModel.fit(encoded, label[known].astype("str"), said, clients, seed)


def product_shares(purpose: pd.Series, product: pd.Series) -> pd.DataFrame:
    """Learn how often each product went with each purpose, drawn towards the overall shares.

    Returns a frame: index purpose (``all`` for clients without one), one column a product, rows adding to 1.
    """
    overall = product.value_counts(normalize=True).sort_index()
    rows = {ALL: overall}
    for name in PURPOSES:
        own = product[(purpose == name).to_numpy()].value_counts().reindex(overall.index, fill_value=0)
        rows[name] = (own + _PRIOR_DRAWINGS * overall) / (own.sum() + _PRIOR_DRAWINGS)
    return pd.DataFrame(rows).T


def _softmax(odds: Floats) -> Floats:
    """Return class shares, the reference class first."""
    top = np.maximum(odds.max(axis=1, keepdims=True), 0.0)
    mass = np.exp(np.concatenate([-top, odds - top], axis=1))
    return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def _log_loss(shares: Floats, product: NDArray[np.intp]) -> float:
    """Mean negative log likelihood of the products taken."""
    return float(-np.log(np.maximum(shares[np.arange(len(product)), product], 1e-12)).mean())
