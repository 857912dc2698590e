from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.additive import (
    AdditiveCard,
    FeatureBins,
    FeaturePoints,
    FeatureRule,
    PointsTable,
    Term,
    expert_card,
    fit_bins,
    learn_woe,
    slotting_card,
)
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.scale import ScoreScale

TOML = """
title = "Project finance"
author = "Credit committee"
date = 2026-01-01
why = "no defaults yet"
start_points = 100

[scale]
base_points = 150
base_odds = 20
pdo = 15

[features.dscr]
reason = "debt service coverage"
rows = [
    { to = 1.0, points = 0 },
    { from = 1.0, to = 1.3, points = 20.5 },   # a comment with a { brace
    { from = 1.3, points = 45 },
    { special = 1.2, points = -7 },
    { special = -999, points = 5 },
]
missing = "worst"

[features."net debt"]
rows = [
    { from = 0, to = 2, points = 30 },
    { from = 2, to = 4, points = 10 },
]
below = "best"
above = 0
missing = 1

[features.sponsor]
rows = [{ level = "strong", points = 30 }, { level = "3", points = 12 }, { level = "weak", points = 0 }]
missing = 3
unseen = "worst"
"""
SCALE = ScoreScale(150, 20, 15)
CASES = [
    # dscr, net debt, sponsor, points beside the start
    (1.0, 2.0, "strong", 0 + 30 + 30),
    (1.0000001, 2.1, "weak", 20.5 + 10 + 0),
    (1.2, 0.0, 3, -7 + 30 + 12),  # a special code inside an interval has a row of its own
    (1.3, -0.1, "junior", 20.5 + 30 + 0),
    (99.0, 4.1, None, 45 + 0 + 3),
    (-999.0, None, "weak", 5 + 1 + 0),
    (None, 4.0, "strong", 0 + 10 + 30),
]


def csv_of(text=TOML):
    return PointsTable.read(text).to_csv()


def test_points_are_the_sum_of_the_table():
    card, scale = expert_card(TOML)
    assert scale == SCALE
    X = pd.DataFrame([case[:3] for case in CASES], columns=card.features)
    expected = [100 + case[3] for case in CASES]
    assert scale.points_from_log_odds(card.decision(X)).tolist() == pytest.approx(expected, abs=1e-9)
    one = [scale.points_from_log_odds(card.decision_one(row)) for row in X.to_dict("records")]
    assert one == pytest.approx(expected, abs=1e-9)
    # 150 points are odds of 20 to 1, 15 points double them
    assert scale.pd_from_points(165.0) == pytest.approx(1 / 41)


def test_the_log_says_who_wrote_it():
    card, _ = expert_card(TOML)
    (edit,) = card.edits
    assert (edit.kind, edit.by, edit.when, edit.why) == (
        "points_table",
        "Credit committee",
        "2026-01-01",
        "no defaults yet",
    )
    assert edit.detail["reasons"] == {"dscr": "debt service coverage"}
    assert ScoreScale.from_dict(edit.detail["scale"]) == SCALE
    assert (
        not card.frame()["declared"]
        .drop(index=0)
        .loc[lambda flag: flag]
        .index.difference(card.frame().query("row_1 == 'unseen'").index)
        .size
    )
    given, scale = expert_card(TOML, ScoreScale(), by="B. Li", why="trial", when="2026-02-02")
    assert (given.edits[0].by, given.edits[0].when, scale) == ("B. Li", "2026-02-02", ScoreScale())


@pytest.mark.parametrize("form", ["toml", "csv"])
def test_a_table_reads_back_what_it_writes(form, tmp_path):
    card, scale = expert_card(TOML)
    text = card.to_points_table(form=form)
    again, same = expert_card(text)
    assert same == scale
    assert again.to_points_table(form=form) == text
    assert again.to_json() == card.to_json()
    path = tmp_path / f"card.{form}"
    path.write_text("\ufeff" + text, encoding="utf-8")  # as a spreadsheet saves it
    assert AdditiveCard.from_points(path).to_json() == card.to_json()
    assert AdditiveCard.from_points(str(path)).to_json() == card.to_json()


numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@st.composite
def tables(draw):
    features = []
    for name in draw(st.lists(texts.filter(str.strip), min_size=1, max_size=3, unique=True)):
        if draw(st.booleans()):
            edges = sorted(draw(st.sets(numbers, max_size=4)))
            bounded = len(edges) >= 2 and draw(st.booleans())
            if bounded:
                edges[0] = float(np.nextafter(edges[0], -np.inf))
            codes = tuple(draw(st.sets(numbers, max_size=2)))
            bins = FeatureBins(name, "number", tuple(edges), missing=True, specials=codes, bounded=bounded)
        else:
            levels = tuple(draw(st.lists(texts.filter(str.strip), min_size=1, max_size=4, unique=True)))
            bins = FeatureBins(name, "category", levels=levels, missing=True, other=True)
        points = [draw(numbers) + 0.0 for _ in range(bins.n_rows)]
        if bins.kind == "number":
            points[-1] = 0.0
        if draw(st.booleans()):
            bins, points[bins.missing_code] = replace(bins, refuse=("missing",)), 0.0
        features.append(FeaturePoints(bins, tuple(points), draw(texts) if draw(st.booleans()) else ""))
    start = draw(numbers) + 0.0
    return PointsTable(tuple(features), ScoreScale(), 'Ä "quoted"', "2026-01-01", "why\\not", "", start)


@given(table=tables())
@settings(max_examples=80, deadline=None)
def test_any_table_survives_toml_and_its_card(table):
    assert PointsTable.read(table.to_toml()) == table
    card = AdditiveCard(**table.parts())
    assert PointsTable.of(card).to_toml() == table.to_toml()


@given(table=tables())
@settings(max_examples=80, deadline=None)
def test_any_table_survives_csv_or_csv_says_that_it_cannot(table):
    try:
        text = table.to_csv()
    except InvalidParameterError as error:
        assert "Write TOML" in str(error)  # noqa: PT017
        return
    assert [one.bins for one in PointsTable.read(text).features] == [one.bins for one in table.features]
    assert [one.points for one in PointsTable.read(text).features] == [one.points for one in table.features]


@pytest.mark.parametrize("level", ["> 5", "missing"])
def test_a_level_that_reads_like_another_row_needs_toml(level):
    text = TOML.replace('level = "3"', f'level = "{level}"')
    card, _ = expert_card(text)
    assert expert_card(card.to_points_table())[0].to_json() == card.to_json()
    with pytest.raises(InvalidParameterError, match="Write TOML"):
        card.to_points_table(form="csv")


def test_csv_by_label_or_by_ends_and_with_other_marks():
    by_label = """# author = "A"
# date = 2026-01-01
# why = "first card"
feature,row,points
dscr,"(1, 1.3]",20
dscr,<= 1,0
dscr,> 1.3,45
dscr,code -999,5
dscr,missing,worst
"""
    by_ends = """feature;from;to;row;points
dscr;;1;;0
dscr;1;1.3;;20
dscr;1.3;;;45
dscr;;;code -999;5
dscr;;;missing;0
"""
    one, _ = expert_card(by_label)
    other, _ = expert_card(by_ends, by="A", why="first card", when="2026-01-01")
    assert one.bins == other.bins
    assert one.frame().equals(other.frame())


def faults_of(text, **given):
    with pytest.raises(InvalidParameterError, match="points table cannot be used") as caught:
        expert_card(text, **given)
    return caught.value.faults


def test_all_faults_of_a_toml_table_at_once_with_their_lines():
    text = """autor = "A"
date = "1.1.2026"
why = "x"
start_points = "ten"
scale = { base_points = 600, odds = 50, pdo = -1 }

[features.gap]
rows = [
    { to = 1, points = 0 },
    { from = 2, to = 4, points = 1 },
    { from = 3, points = true },
]

[features.half]
rows = [{ from = 0, to = 1, points = 1 }, { from = 1, points = 2 }]
missing = 0
unseen = 0

[features.level]
rows = [
    { level = "a", points = 1 },
    { level = "a", points = 2 },
    { special = 3, points = 2 },
    { levle = "b", points = 2 },
]
mising = 0

[features.code]
rows = [
    { to = 1, points = 0 },
    { from = 1, points = 0 },
    { special = -9, points = "refuse" },
    { special = -9, points = "wurst" },
]
missing = "average"
above = 1
"""
    told = "\n".join(faults_of(text))
    for words in (
        "The table has no key 'autor'. Did you mean 'author'?",
        "author must say who",
        'date must be a date such as "2026-03-31"',
        "start_points must be a finite number; got 'ten'",
        "scale has no key 'odds'",
        "scale: pdo must be a number in (0, inf)",
        "'gap': gap from 1 to 2 between (-inf, 1] and (2, 4] ('gap', line 9; 'gap', line 10)",
        "'gap': (2, 4] and (3, inf] ('gap', line 10; 'gap', line 11) overlap",
        "'gap', line 11: points must be a finite number; got True",
        "'gap' (line 7) must say what missing scores",
        "'half' (line 14): the first interval ends and the other side is open",
        "unseen cannot occur, a number has no unseen levels",
        "'level' (line 19) has no key 'mising'. Did you mean 'missing'?",
        "'level', line 24 has no key 'levle'. Did you mean 'level'?",
        "'level' (line 19) needs rows of values, intervals or levels, not both",
        "'code', line 33: points must be a finite number, or 'worst', 'best', 'refuse'; got 'wurst'. Did you",
        "'code', line 33: code -9 stands already ('code', line 32)",
        "'code' (line 28), missing: points must be a finite number, or",
        "'code' (line 28): refuse all special codes, or none",
        "above cannot occur, the intervals are open",
    ):
        assert words in told, words


def test_repeated_levels_and_odd_rows_are_told():
    text = "feature,row,points\nk,a,1\nk,a,2\nk,missing,0\nk,missing,1\nk,code 5,1\n"
    told = "\n".join(faults_of(text, by="A", why="x", when="2026-01-01"))
    assert "'k', line 3: level 'a' stands already ('k', line 2)" in told
    assert "missing stands already ('k', line 4)" in told
    assert "'k' (line 2) must say what unseen scores" in told
    assert "'k', line 6: a special code is for numbers" in told


def test_faults_of_a_csv_table_carry_their_lines():
    text = """# author = "A"
# date = 2026-01-01
# why = "x"
feature,row,from,to,points,colour
dscr,,,1,ten,
dscr,< 2,,,3,
dscr,"[1, 2)",,,3,
dscr,(1,2,3
dscr,> 1,1,,3,
dscr,,2,1,"1,5",
dscr,missing,,,0,
"""
    told = "\n".join(faults_of(text))
    for words in (
        "The header has no key 'colour'",
        "'dscr', line 5: points must be a finite number; got 'ten'",
        "'dscr', line 6: '< 2' is no interval that can be read",
        "'dscr', line 7: '[1, 2)' is no interval",
        "line 8 has 4 cells; the header has 6. Put a cell that holds the mark between cells in double quotes",
        "'dscr', line 9: give row, or from and to; not both",
        "'dscr', line 10: from must lie below to; got 2 and 1",
        "'dscr', line 10: points must be a finite number; got '1,5'",
    ):
        assert words in told, words


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = \n", "cannot be read"),
        ("# author: A\nfeature,row,points\n", "before the header"),
    ],
)
def test_text_that_is_no_table(text, fault):
    with pytest.raises(InvalidParameterError, match=fault):
        expert_card(text)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "card.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidParameterError, match="must be UTF-8 text"):
        expert_card(path)
    with pytest.raises(FileNotFoundError):
        expert_card(tmp_path / "none.toml")
    assert "The table has no features." in faults_of("why = 'x'\n")


@pytest.mark.parametrize("where", ["row", "from", "points", "feature"])
def test_text_in_a_table_is_never_run(where, tmp_path):
    """A scorecard library evaluates break strings; here they are text that is no number."""
    bait = tmp_path / "bait"
    code = f"__import__('pathlib').Path({str(bait)!r}).touch()"
    cells = {"feature": "x", "row": "", "from": "", "to": "", "points": "1"} | {where: code}
    out = io.StringIO()
    csv.writer(out).writerows([cells.keys(), cells.values(), ["x", "missing", "", "", "0"]])
    with pytest.raises(InvalidParameterError):
        expert_card(out.getvalue(), by="A", why="x", when="2026-01-01")
    assert not bait.exists()


def test_a_special_value_inside_a_range_never_takes_the_rows_of_the_range():
    """The fifth silent error: a code inside a numeric range used to score what the range scores."""
    card, scale = expert_card(TOML)
    inside, code = ({"dscr": value, "net debt": 1.0, "sponsor": "weak"} for value in (1.21, 1.2))
    assert scale.points_from_log_odds(card.decision_one(inside)) == pytest.approx(150.5)
    assert scale.points_from_log_odds(card.decision_one(code)) == pytest.approx(123)
    assert card.row_counts(pd.DataFrame([inside, code])).loc["dscr", "special"] == 1
    # and for a card that is learned
    rng = np.random.default_rng(0)
    x = np.round(rng.uniform(0, 10, 4000), 1)
    y = np.where(x == 5.0, 1.0, rng.random(4000) < 0.1)
    learned, _ = learn_woe(pd.DataFrame({"x": x}), y, rules={"x": FeatureRule(specials=(5.0,))})
    assert learned.decision_one({"x": 5.0}) > 2 > learned.decision_one({"x": 5.1})
    assert fit_bins(pd.DataFrame({"x": x}), rules={"x": FeatureRule(specials=(5.0,))})[0].specials == (5.0,)


def test_refused_rows_are_errors():
    text = TOML.replace('below = "best"', 'below = "refuse"').replace("above = 0", 'above = "refuse"')
    card, _ = expert_card(text)
    good = {"dscr": 1.0, "net debt": 1.0, "sponsor": "weak"}
    with pytest.raises(DataError, match="not scored where it is > 4"):
        card.decision_one({**good, "net debt": 5.0})
    assert card.decision_one(good)
    assert expert_card(card.to_points_table())[0].to_json() == card.to_json()
    half = TOML.replace("above = 0", 'above = "refuse"')
    assert "refuse both below and above, or neither" in "\n".join(faults_of(half))


def test_an_expert_card_can_be_edited_and_written_again():
    card, scale = expert_card(TOML)
    card = card.set_points("dscr", "> 1.3", 50, scale=scale, by="B. Li", why="review", when="2026-06-30")
    text = card.to_points_table()
    assert "{ from = 1.3, points = 50 }" in text
    again, _ = expert_card(text)
    assert again.decision_one({"dscr": 2, "net debt": 1, "sponsor": "weak"}) == pytest.approx(
        card.decision_one({"dscr": 2, "net debt": 1, "sponsor": "weak"}), abs=1e-12
    )


def test_a_learned_card_can_be_written_as_points():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=2000), "k": rng.choice(["u", "v", None], 2000)})
    y = (rng.random(2000) < 1 / (1 + np.exp(1 - X["a"] - (X["k"] == "u")))).astype(float)
    card, _ = learn_woe(X, y)
    for form in ("toml", "csv"):
        again, scale = expert_card(card.to_points_table(form=form), by="A", why="x", when="2026-01-01")
        assert scale == ScoreScale()
        assert again.decision(X).to_numpy() == pytest.approx(card.decision(X).to_numpy(), abs=1e-9)
    bins = (FeatureBins("a", "number"), FeatureBins("b", "number"))
    pair = AdditiveCard(("bad",), (0.0,), bins, (Term(("a", "b"), np.zeros((3, 3, 1))),))
    with pytest.raises(InvalidParameterError, match="no pairs"):
        pair.to_points_table()
    with pytest.raises(InvalidParameterError, match="form must be one of"):
        card.to_points_table(form="xlsx")


def test_slotting_runs_from_0_to_100_and_orders_the_categories():
    card, scale = slotting_card()
    totals = {
        word: scale.points_from_log_odds(card.decision_one(dict.fromkeys(card.features, word)))
        for word in ("strong", "good", "satisfactory", "weak")
    }
    assert totals == pytest.approx({"strong": 100, "good": 70, "satisfactory": 40, "weak": 0}, abs=1e-9)
    assert len(card.features) == 5
    weights = [-scale.factor * (term.values[0, 0] - term.values[3, 0]) for term in card.terms]
    assert sum(weights) == pytest.approx(100)
    assert all(5 <= weight <= 60 for weight in weights)
    for term in card.terms:
        assert (np.diff(term.values[:4, 0]) > 0).all()
    with pytest.raises(DataError, match="'sponsor_strength' is not scored where it is missing"):
        card.decision_one(dict.fromkeys(card.features, "good") | {"sponsor_strength": None})


def test_a_table_needs_features_each_once():
    one = FeaturePoints(FeatureBins("a", "number"), (1.0, 0.0, 0.0))
    with pytest.raises(InvalidParameterError, match="each once"):
        PointsTable((one, one), ScoreScale(), "A", "2026-01-01", "x")
    with pytest.raises(InvalidParameterError, match="needs 3 finite points"):
        FeaturePoints(one.bins, (1.0,))
