from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import MissingColumnError
from clientscore.strategy import ServiceStrategy


def changed(*changes):
    text = ServiceStrategy.default_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return ServiceStrategy.from_text(text)


def test_a_policy_does_not_differ_from_itself(strategy, book):
    same = strategy.diff(ServiceStrategy.default(), book)
    assert same.frame().empty
    assert list(same.frame().columns)[:4] == ["client_id", "output", "before", "after"]
    assert same.summary().empty
    assert repr(same).startswith("PolicyDiff: 0 of 3,000")


def test_a_moved_threshold_changes_whom_it_should(strategy, book):
    new = changed(('{ ">=" = 0.40, missing = false }', '{ ">=" = 0.55, missing = false }'))
    diff = strategy.diff(new, book)
    layer = diff.frame().query("output == 'service_layer'").set_index("client_id")
    between = book["need_probability_12m"].between(0.40, 0.55, inclusive="left").fillna(False)
    expected = book.index[
        between & book["tier"].eq("B").fillna(False) & book["watch"].eq(False).fillna(False)
    ]
    assert sorted(layer.index) == sorted(expected)
    assert set(layer["before"]) == {"deep_cooperation"}
    assert set(layer["after"]) == {"value_added"}
    assert set(layer["rule_before"]) == {"layer: core client with a likely need"}
    assert set(layer["rule_after"]) == {"layer: core client"}
    assert set(layer["why"]) == {"rule 'core client with a likely need' no longer holds"}
    one = layer.iloc[0]
    share = book.loc[layer.index[0], "need_probability_12m"]
    assert one["values"] == f"tier B, watch no, need_probability_12m {share:.1%}"
    before, after = strategy.recommend(book), new.recommend(book)
    for output, rows in diff.frame().groupby("output"):  # an oracle: the plans themselves
        differing = before[output].astype(object).ne(after[output].astype(object))
        differing &= before[output].notna() | after[output].notna()
        assert sorted(rows["client_id"]) == sorted(book.index[differing])
    top = diff.summary().query("output == 'service_layer'").iloc[0]
    assert top["clients"] == len(expected)
    assert diff.to_dict()["n_clients"] == 3000
    assert "<table" in diff._repr_html_()


RULE = """[[tables.layer.rules]]
name = "new rule"
when = { tier = "C", watch = false, segment = { "==" = "large", missing = false } }
then = { service_layer = "value_added" }

"""
ANOTHER = 'when = { tier = "C" }\nthen = { service_layer = "value_added" }'
FIRST = '[[tables.layer.rules]]\nname = "top client on watch"'


@pytest.mark.parametrize(
    ("change", "client", "why"),
    [
        (
            (FIRST, RULE + FIRST),
            {"tier": "C", "watch": False, "segment": "large"},
            "rule 'ordinary client' holds, but 'new rule', which is new comes first",
        ),
        (
            ('name = "ordinary client"\n', 'name = "anybody else"\n'),
            {"tier": "C", "watch": False},
            None,  # a new name alone changes nobody
        ),
        (
            ('when = { tier = "C" }\nthen = { service_layer = "basic" }', ANOTHER),
            {"tier": "C", "watch": False},
            "rule 'ordinary client' gives another answer",
        ),
        (
            ('when = { tier = "A", watch = false }', 'when = { tier = "A", watch = false, pd = 0.1 }'),
            {"tier": "A", "watch": False},
            "rule 'top client' is not evaluated",
        ),
    ],
)  # fmt: skip
def test_why_in_words(strategy, change, client, why):
    book = pd.DataFrame([client], index=pd.Index(["C1"], name="client_id"))
    found = strategy.diff(changed(change), book).frame().query("output == 'service_layer'")
    assert found["why"].tolist() == ([] if why is None else [why])


def test_products_and_actions_say_what_closed(strategy, book):
    new = changed(("allow = { consent = true }", 'allow = { consent = true, pd = { "<" = 0.05 } }'))
    frame = strategy.diff(new, book).frame()
    products = frame.query("output == 'products'")
    assert len(products) > 20
    assert products["why"].str.startswith("guardrail closes: client has not agreed to offers").any()
    dearer = changed(("hour_cost_amount = 400.0", "hour_cost_amount = 4000.0"))
    actions = strategy.diff(dearer, book).frame()
    assert set(actions["output"]) == {"actions"}
    assert set(actions["why"]) == {"actions, effects or costs changed"}


def test_decide_gives_what_recommend_gives(strategy, book):
    alone, plans = strategy.decide(book), strategy.recommend(book)
    for name in ("service_layer", "coverage", "reports", "sla_hours", "contact_cadence_days"):
        assert (alone[name].astype(plans[name].dtype) == plans[name]).all()
    rules = "layer: " + alone["layer_rule"].astype(str) + "; reports: " + alone["reports_rule"].astype(str)
    assert (plans["rule"] == rules + "; service: " + alone["service_rule"].astype(str)).all()
    assert strategy.decide(book.drop(columns="watch"))["service_rule"].eq("not evaluated").all()
    assert len(strategy.decide(book.iloc[:0])) == 0


def test_a_frame_without_tiers_is_refused(strategy):
    with pytest.raises(MissingColumnError, match="'tier'"):
        strategy.diff(strategy, pd.DataFrame({"watch": [np.nan]}))
