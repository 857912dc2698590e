"""Drivers in plain words: which feature, at what value, raises a client's risk by how much."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._words import cause_in_words
from clientscore.catalogue import describe, in_words, pillar_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from clientscore.hazard import CompetingHazard

    Floats = NDArray[np.float64]

Language = Literal["en", "zh"]

BLOCK_ROWS = 16_384  # rows explained at a time
MIN_EFFECT = 1e-9  # log odds; less raises no risk worth a name
COLUMNS = ("cause", "rank", "code", "text", "pillar", "value", "log_odds", "share", "sentence")

_WORDS = {
    "en": {
        "sentence": "{feature} {value}: odds of {cause} x {odds:.2f}, {share:.0%} of what raises the risk",
        "missing": "not known",
        "yes": "yes",
        "no": "no",
    },
    "zh": {
        "sentence": "{feature} {value}：{cause}几率 × {odds:.2f}，占风险上升因素的{share:.0%}",
        "missing": "未知",
        "yes": "是",
        "no": "否",
    },
}
_PERCENT = ("share", "rate", "growth")


def strongest(effects: Floats, n: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the columns of the n largest effects of each row, ties to the earlier, and which raise risk."""
    order = np.argsort(-effects, axis=1, kind="stable")[:, :n]
    return order, np.take_along_axis(effects, order, axis=1) > MIN_EFFECT


def effect_blocks(
    hazard: CompetingHazard, X: pd.DataFrame, causes: Sequence[str]
) -> Iterator[tuple[slice, Floats]]:
    """Yield rows and their effects by feature in log odds, a block at a time; one block at least."""
    for start in range(0, max(len(X), 1), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        yield rows, hazard.drivers(X.iloc[rows], causes).to_numpy()


def driver_frame(
    hazard: CompetingHazard, X: pd.DataFrame, causes: Sequence[str], name: str, n: int, lang: Language
) -> pd.DataFrame:
    """Return one line a client and driver, the strongest first, on the index of `X`."""
    names = hazard.feature_names_in_
    parts = []
    for rows, effects in effect_blocks(hazard, X, causes):
        order, raises = strongest(effects, n)
        clients, ranks = np.nonzero(raises)
        columns = order[clients, ranks]
        total = np.maximum(effects, 0.0).sum(axis=1)
        effect = effects[clients, columns]
        parts.append((clients + rows.start, ranks, columns, effect, effect / total[clients]))
    clients, ranks, columns, effect, share = (np.concatenate(values) for values in zip(*parts, strict=True))
    value = np.empty(len(clients), dtype=object)
    codes = pd.Series(names[columns], dtype="str")
    for column in np.unique(columns):
        lines = np.flatnonzero(columns == column)
        value[lines] = X[names[column]].iloc[clients[lines]].to_numpy(dtype=object)
    used = {code: in_words(code, lang) for code in codes.unique()}
    frame = {
        "cause": pd.Series(np.full(len(codes), name, dtype=object), dtype="str"),
        "rank": ranks + 1,
        "code": codes,
        "text": codes.map(used).astype("str"),
        "pillar": codes.map({code: pillar_of(code) for code in used}).astype("str"),
        "value": value,
        "log_odds": effect,
        "share": share,
    }
    lines_of = zip(codes, value, effect.tolist(), share.tolist(), strict=True)
    phrase, who = _WORDS[lang]["sentence"], cause_in_words(name, lang)
    frame["sentence"] = pd.Series(
        [
            phrase.format(
                feature=used[code],
                value=value_text(code, seen, lang),
                cause=who,
                odds=math.exp(log_odds),
                share=part,
            )
            for code, seen, log_odds, part in lines_of
        ],
        dtype="str",
    )
    return pd.DataFrame(frame, columns=list(COLUMNS)).set_axis(X.index.take(clients), axis=0)


@lru_cache(maxsize=4096)
def _unit(code: str) -> str:
    spec = describe(code)
    return "" if spec is None else spec.unit


def value_text(code: str, value: Any, lang: Language) -> str:
    """Return a feature's value as people write it: percent for shares and rates, yes or no for flags."""
    words, unit = _WORDS[lang], _unit(code)
    if pd.isna(value):
        return words["missing"]
    if isinstance(value, str):
        return value
    if unit == "flag" and value in (0, 1):
        return words["yes"] if value else words["no"]
    return f"{value:.1%}" if unit in _PERCENT else f"{value:,.4g}"
