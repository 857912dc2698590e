"""A scorer in SQL, PMML and a sheet says what it says in Python."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import FeatureRule
from clientscore.exceptions import InvalidParameterError
from clientscore.scoring import ClientScorer

duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
pytest.importorskip("sqlglot", reason="sqlglot is not installed")


def in_duckdb(query, frame):
    book = frame.reset_index(drop=True).assign(
        row_id=np.arange(len(frame)), listed=frame["listed"].to_numpy(int)
    )
    with contextlib.closing(duckdb.connect()) as base:
        base.register("book", book)
        return base.execute(query).df().sort_values("row_id", ignore_index=True)


@pytest.mark.parametrize("calibration", [None, "logistic", "beta", "isotonic"])
def test_sql_gives_the_points_and_the_pd_of_the_scorer(calibration, boosted, clients, newer):
    scorer = boosted if calibration is None else boosted.recalibrate(*clients, method=calibration)
    X = newer[0].head(500)
    for rounded in (False, True):
        found = in_duckdb(scorer.to_sql("book", "duckdb", ["row_id"], rounded=rounded), X)
        assert found.columns.tolist() == ["row_id", "points", "pd", "log_odds"]
        assert (found["log_odds"].to_numpy() == scorer.decision_function(X)).all()
        assert found["pd"].to_numpy() == pytest.approx(scorer.predict_proba(X)[:, 1], rel=1e-12)
        if rounded:
            assert found["points"].dtype == "int64"
        assert (found["points"].to_numpy() == scorer.points(X, rounded=rounded).to_numpy()).all()


def test_sql_has_no_score_where_a_feature_that_was_left_out_is_refused(clients, newer):
    X, y = clients
    rules = {"constant": FeatureRule(missing="refuse")}
    scorer = ClientScorer(method="woe", rules=rules).fit(X.assign(constant=1.0), y)
    assert "constant" not in scorer.card_.scored_features
    new = newer[0].head(4).assign(constant=[1.0, np.nan, 1.0, np.nan])
    found = in_duckdb(scorer.to_sql("book", "duckdb", ["row_id"]), new)
    assert found["log_odds"].notna().tolist() == [True, False, True, False]
    assert (found["points"].dropna().to_numpy() == scorer.points(new.iloc[[0, 2]]).to_numpy()).all()


def test_a_sheet_holds_the_points_that_are_added_up(woe, newer):
    sheet = woe.to_sheet(rounded=True)
    X = newer[0].head(50)
    table = woe.points_table(rounded=True)
    assert sheet["points"].sum() == table["points"].sum()
    assert sheet["points"].iloc[0] == table["points"].iloc[0] == round(woe.base_points_)
    assert woe.points(X, rounded=True).dtype == "int64"


def test_pmml_holds_points_and_refuses_a_map_of_the_pd(woe, clients):
    space = "{http://www.dmg.org/PMML-4_4}"

    def outputs(text):
        root = ET.fromstring(text)  # noqa: S314 - our own text
        return [one.get("name") for one in root.iter(f"{space}OutputField")][:2]

    assert outputs(woe.to_pmml()) == ["points", "pd"]
    assert outputs(woe.to_pmml(points=False)) == ["log_odds", "pd"]
    assert outputs(woe.to_pmml(rounded=True)) == ["points", "reason_1"]
    mapped = woe.recalibrate(*clients, method="isotonic")
    with pytest.raises(InvalidParameterError, match="PMML carries no map of the PD"):
        mapped.to_pmml()
    assert outputs(mapped.to_pmml(rounded=True)) == ["points", "reason_1"]
    assert outputs(mapped.card_.to_pmml(with_pd=False)) == ["log_odds", "reason_1"]


def test_an_unknown_map_cannot_be_said_in_sql(woe):
    class Halved:
        def pd(self, log_odds):
            return 0.5 / (1 + np.exp(-log_odds))

        def to_state(self):
            return {}

    scorer = woe.with_pd_map(Halved())
    assert isinstance(scorer.points(pd.DataFrame([dict.fromkeys(scorer.feature_names_in_)])), pd.Series)
    with pytest.raises(InvalidParameterError, match="got Halved"):
        scorer.to_sql("book")
