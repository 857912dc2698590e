from __future__ import annotations

import re

import pytest

from clientscore.catalogue import (
    PILLARS,
    base_features,
    derived_suffixes,
    describe,
    feature_columns,
    pillar_of,
)


def test_derived_words_are_made_from_the_base():
    spec = describe("interest_cover_change_1y")
    assert spec is not None
    assert (spec.en, spec.zh) == ("interest cover, change over one year", "利息保障倍数（一年变化）")
    assert (spec.pillar, spec.unit, spec.direction) == ("financial", "times", "decreasing")


@pytest.mark.parametrize(
    ("name", "en", "zh"),
    [
        ("roa_vs_history", "return on assets, against own history", "总资产收益率（与自身历史相比）"),
        ("roa_rank", "return on assets, rank among peers", "总资产收益率（同业排名）"),
        ("roa_change_2y", "return on assets, change over two years", "总资产收益率（两年变化）"),
        ("utilization_rank", "limit utilization, rank among peers", "授信使用率（同业排名）"),
    ],
)
def test_every_suffix_has_its_phrase(name, en, zh):
    spec = describe(name)
    assert (spec.en, spec.zh) == (en, zh)


def test_a_rank_is_a_share_whatever_its_base():
    assert describe("dso_days").unit == "days"
    assert describe("dso_days_rank").unit == "share"


def test_a_base_name_that_looks_derived_is_a_base():
    assert describe("revenue_growth_1y").en == "revenue growth over one year"
    assert describe("utilization_change_12m").pillar == "credit"


@pytest.mark.parametrize("name", ["", "_rank", "shoe_size", "shoe_size_rank", "interest_cover_change_9y"])
def test_unknown_names_have_no_words_and_pillar_other(name):
    assert describe(name) is None
    assert pillar_of(name) == "other"


def test_columns_are_unique_and_each_has_a_pillar_and_words():
    columns = feature_columns()
    assert len(set(columns)) == len(columns)
    for name in columns:
        spec = describe(name)
        assert spec.pillar in PILLARS[:4]
        assert spec.direction in ("increasing", "decreasing", None)
        assert spec.en.strip()
        assert re.search("[\u4e00-\u9fff]", spec.zh)
        assert "{" not in spec.en + spec.zh


def test_words_tell_features_apart():
    for language in ("en", "zh"):
        words = [getattr(describe(name), language) for name in feature_columns()]
        assert len(set(words)) == len(words)


def test_every_financial_level_has_its_derived_features_but_for_the_age_and_the_financing_history():
    names = base_features("financial")
    history = names[names.index("debt_moves_3y") : names.index("statement_age_days")]
    for name in names:
        if name == "statement_age_days":
            assert derived_suffixes(name) == ()
        elif name in history:  # these span years already
            assert derived_suffixes(name) in ((), ("_rank",))
        else:
            assert derived_suffixes(name) == ("_change_1y", "_change_3y", "_vs_history", "_rank")
