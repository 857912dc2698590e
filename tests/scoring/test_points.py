from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.scale import ScoreScale
from clientscore.scoring import ClientScorer

BINS = (FeatureBins("roa", "number", edges=(0.0,)), FeatureBins("industry", "category", levels=("a",)))
SCALE = ScoreScale(base_points=500, base_odds=1, pdo=20 * np.log(2))  # 20 points a unit of log-odds


def two_features(roa, pair):
    return AdditiveCard(
        ("bad",),
        (-1.03,),
        BINS,
        (
            Term(("roa",), np.array([[roa], [-0.2], [0.1], [0.0]])),
            Term(("roa", "industry"), np.full((4, 3, 1), pair)),
        ),
    )


def expert(card):
    return ClientScorer.from_card(card, pd.DataFrame({"roa": [-1.0, 1.0], "industry": "a"}), scale=SCALE)


def test_points_of_every_row_by_hand():
    table = expert(two_features(0.73, 0.01)).points_table()
    assert table["points"].round(9).tolist()[:5] == [520.6, -14.6, 4.0, -2.0, 0.0]
    assert table["term"].tolist() == ["intercept"] + 4 * ["roa"] + 12 * ["roa x industry"]
    assert (table["points"][5:].round(9) == -0.2).all()
    assert table["row_1"].tolist()[1:5] == ["<= 0", "> 0", "missing", "unseen"]


def test_whole_points_by_hand():
    scorer = expert(two_features(0.73, 0.02))
    X = pd.DataFrame({"roa": [-1.0, 1.0], "industry": ["a", "b"]}, index=["x", "y"])
    assert scorer.points_table(rounded=True)["points"].tolist()[:6] == [521, -15, 4, -2, 0, 0]
    whole = scorer.points(X, rounded=True)
    assert whole.tolist() == [521 - 15 + 0, 521 + 4 + 0]
    assert (whole.dtype, whole.name, list(whole.index)) == ("int64", "points", ["x", "y"])
    report = scorer.rounding_report(X)
    assert report.bound == pytest.approx(0.4 + 0.4 + 0.4)
    assert report.largest == pytest.approx(0.4 + 0.4)  # 505.6 - 506; 524.2 - 525
    assert report.mean == pytest.approx(0.6)
    assert report.frame()["largest_error"].round(9).tolist() == [0.4, 0.4, 0.4]
    assert report.to_dict()["rows"] == 2
    assert "bound=1.2" in repr(report)
    assert "largest_error" in report._repr_html_()


def test_the_rows_a_client_meets_add_up_to_its_points(scorer, newer):
    X = newer[0].head(50)
    for rounded in (False, True):
        table = scorer.points_table(rounded=rounded).set_index(["term", "row_1", "row_2"])["points"]
        codes, card = scorer.card_.encode(X), scorer.card_
        points = scorer.points(X, rounded=rounded)
        for place in range(len(X)):
            total = table.iloc[0]
            for term in card.terms:
                columns = [card.features.index(name) for name in term.features]
                rows = [card.bins[j].labels()[codes[place, j]] for j in columns]
                total += table[(term.name, rows[0], rows[1] if len(rows) == 2 else np.nan)]
            assert points.iloc[place] == pytest.approx(total, abs=1e-9)
            assert not rounded or points.iloc[place] == total


def test_no_client_is_off_by_more_than_the_bound(scorer, newer):
    X = newer[0]
    report = scorer.rounding_report(X)
    off = (scorer.points(X, rounded=True) - scorer.points(X)).abs()
    assert report.largest == pytest.approx(off.max(), abs=1e-9)
    assert report.mean == pytest.approx(off.mean(), abs=1e-9)
    assert 0 < report.largest <= report.bound <= 0.5 * (len(scorer.card_.terms) + 1)
    assert list(report.frame()["term"]) == ["intercept", *(term.name for term in scorer.card_.terms)]
    assert np.isnan(scorer.rounding_report(X.iloc[:0]).largest)


def test_rounding_leaves_pd_and_grade_alone(woe, newer):
    X = newer[0].head(20)
    before = woe.predict_proba(X).tolist()
    woe.points(X, rounded=True)
    assert woe.predict_proba(X).tolist() == before


@given(roa=st.floats(-3, 3), pair=st.floats(-1, 1))
def test_whole_points_stay_within_the_bound_of_any_card(roa, pair):
    scorer = expert(two_features(roa, pair))
    X = pd.DataFrame({"roa": [-1.0, 1.0, None], "industry": ["a", "b", None]})
    report = scorer.rounding_report(X)
    off = (scorer.points(X, rounded=True) - scorer.points(X)).abs()
    assert off.max() == pytest.approx(report.largest, abs=1e-9)
    assert report.largest <= report.bound
