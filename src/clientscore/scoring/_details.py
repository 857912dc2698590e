"""Reasons in full: code, words, the value behind it and the points it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.catalogue import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard

COLUMNS = ("rank", "code", "text_en", "text_zh", "pillar", "value", "row", "points_lost")


def reason_details(
    card: AdditiveCard,
    X: pd.DataFrame,
    reasons: pd.DataFrame,
    reference: NDArray[np.float64],
    factor: float,
    pillars: Mapping[str, str],
) -> pd.DataFrame:
    """Return one line a client and reason, on the index of `X`.

    Parameters
    ----------
    card : AdditiveCard
        The card that scored.
    X : DataFrame of shape (n, any number of columns)
        Features by name.
    reasons : DataFrame of shape (n, n_reasons)
        Names of features, largest loss first; missing where there are fewer.
    reference : ndarray of shape (number of scored features,)
        Contribution each scored feature is compared with, in log-odds.
    factor : float
        Points of one unit of log-odds.
    pillars : mapping of str to str
        Pillar of each feature.

    Returns
    -------
    DataFrame
        Columns as in `COLUMNS`.
    """
    codes, own = card.encode(X), card.reason_words
    parts = card.feature_contributions_codes(codes) - reference
    names = reasons.to_numpy(dtype=object)
    clients, ranks = np.nonzero(reasons.notna().to_numpy())
    code = names[clients, ranks]
    value, row = (np.empty(len(code), dtype=object) for _ in range(2))
    lost = np.empty(len(code))
    for place, name in enumerate(card.scored_features):
        lines = np.flatnonzero(code == name)
        at, column = clients[lines], card.features.index(name)
        value[lines] = X[name].iloc[at].to_numpy(dtype=object)
        row[lines] = np.array(card.bins[column].labels(), dtype=object)[codes[at, column]]
        lost[lines] = factor * parts[at, place]
    columns: dict[str, Any] = {
        "rank": ranks + 1,
        "code": pd.Series(code, dtype="str"),
        "text_en": pd.Series([own.get(name) or in_words(name, "en") for name in code], dtype="str"),
        "text_zh": pd.Series([own.get(name) or in_words(name, "zh") for name in code], dtype="str"),
        "pillar": pd.Series([pillars[name] for name in code], dtype="str"),
        "value": value,
        "row": pd.Series(row, dtype="str"),
        "points_lost": lost,
    }
    return pd.DataFrame(columns, columns=list(COLUMNS)).set_axis(X.index.take(clients), axis=0)
