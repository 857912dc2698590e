"""Cards with everything an export must carry, made at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term

LEVELS = (
    "SME",
    "sme",
    "it's",
    "",
    '"q"',
    "007",
    "a\\b",
    "n\u00e9",
    "SME ",
    " SME",
    "NULL",
    "\u4e2d\u6587",
    "x<y&z",
)


def make_card(seed: int = 0, *, refuse: bool = True) -> AdditiveCard:
    """Numbers with codes and bounds, a category of traps, pairs of every kind of row; values at random."""
    rng = np.random.default_rng(seed)
    edges = np.unique(np.round(rng.normal(size=rng.integers(3, 12)), int(rng.integers(1, 17)))).tolist()
    bins = (
        FeatureBins(
            "debt", "number", edges=(-0.5, 0.0, 0.1, 2.5), specials=(-999.0, 0.05), bounded=True, missing=True
        ),
        FeatureBins("roa %", "number", edges=tuple(edges), specials=(0.0,)),
        FeatureBins("flat", "number"),
        FeatureBins("segment 'x'", "category", levels=LEVELS, missing=True, other=True),
        FeatureBins(
            "dscr",
            "number",
            edges=(1.0, 2.0, 3.0),
            specials=(7.0, 2.5),
            bounded=True,
            refuse=("missing", "special", "out_of_range") if refuse else (),
        ),
        FeatureBins("unread", "number", edges=(0.5,), refuse=("missing",)),
    )
    by_name = {one.name: one for one in bins}
    main = [Term((one.name,), rng.normal(size=(one.n_rows, 1)), rng.random(one.n_rows)) for one in bins[:4]]
    names = [("debt", "roa %"), ("segment 'x'", "debt"), ("roa %", "dscr"), ("segment 'x'", "flat")]
    pairs = [Term(pair, rng.normal(size=(*(by_name[name].n_rows for name in pair), 1))) for pair in names]
    main[0].values[1] = main[0].values[2]  # two rows alike: an export may write them as one
    return AdditiveCard(("bad",), (float(rng.normal()),), bins, (*main, *pairs))


@pytest.fixture
def card_of() -> Callable[..., AdditiveCard]:
    return make_card
