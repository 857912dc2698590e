"""Frames of polars and Arrow say what the same pandas frame says."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clientscore.exceptions import DataError, MissingColumnError
from clientscore.scoring import ClientScorer

MAKERS = {
    "polars": pl.from_pandas,
    "arrow table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "arrow batch": lambda frame: pa.RecordBatch.from_pandas(frame, preserve_index=False),
    "capsule": lambda frame: Capsule(pl.from_pandas(frame)),
}
METHODS = (
    "predict_proba",
    "predict",
    "decision_function",
    "points",
    "grade",
    "pillar_points",
    "reasons",
    "reason_frame",
    "score_frame",
    "row_counts",
    "check_inputs",
)


class Capsule:
    """Nothing but the Arrow interface."""

    def __init__(self, frame):
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema=None):
        return self.frame.__arrow_c_stream__(requested_schema)


def same(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other)
    else:
        assert np.asarray(one).tolist() == np.asarray(other).tolist()


@pytest.mark.parametrize("kind", MAKERS)
def test_every_method_reads_it_and_answers_in_row_order(kind, scorer, newer):
    X = newer[0].head(80).reset_index(drop=True)
    other = MAKERS[kind](X)
    for method in METHODS:
        same(getattr(scorer, method)(other), getattr(scorer, method)(X))
    same(scorer.points(other, rounded=True), scorer.points(X, rounded=True))
    assert scorer.rounding_report(other).to_dict() == scorer.rounding_report(X).to_dict()
    assert isinstance(scorer.points(other).index, pd.RangeIndex)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("method", ["woe", "boosted"])
def test_it_can_be_learned_from(kind, method, clients):
    X, y = (part.reset_index(drop=True) for part in clients)
    settings = {"method": method, "n_bags": 2, "max_rounds": 20, "random_state": 0}
    expected = ClientScorer(**settings).fit(X, y)
    fitted = ClientScorer(**settings).fit(MAKERS[kind](X), pl.from_pandas(y))
    assert fitted.card_.to_json() == expected.card_.to_json()
    assert fitted.feature_names_in_.tolist() == list(X.columns)


def test_y_weights_and_groups_go_by_place(clients):
    X, y = clients
    frame = pl.from_pandas(X.reset_index(drop=True))
    groups = pl.Series(X.index.get_level_values("client_id"))
    weight = pl.Series(np.linspace(0.5, 2, len(X)))
    # Without its index a frame has no dates, which would choose the calibration.
    settings = {"n_bags": 2, "max_rounds": 20, "random_state": 0, "calibration": "mean"}
    one = ClientScorer(**settings).fit(frame, y, sample_weight=weight, groups=groups)  # y on another index
    other = ClientScorer(**settings).fit(X, y, sample_weight=weight.to_numpy())
    assert one.card_.to_json() == other.card_.to_json()


def test_a_missing_outcome_of_arrow_is_left_out(clients):
    X, y = (part.reset_index(drop=True) for part in clients)
    known = np.arange(len(y)) % 5 > 0
    holes = pa.array(y.to_numpy(), mask=~known)
    scorer = ClientScorer(method="woe").fit(pl.from_pandas(X), holes)
    assert scorer.summary_["rows_without_y"] == int((~known).sum())
    assert scorer.card_.to_json() == ClientScorer(method="woe").fit(X[known], y[known]).card_.to_json()


COLUMNS = {
    "text": (pl.String, ["a", None, "b"], "category"),
    "category": (pl.Categorical, ["a", None, "b"], "category"),
    "enum": (pl.Enum(["a", "b"]), ["a", None, "b"], "category"),
    "flag": (pl.Boolean, [True, None, False], "number"),
    "decimal": (pl.Decimal(10, 2), [Decimal("1.25"), None, Decimal("-3.5")], "number"),
    "whole": (pl.Int64, [1, None, 3], "number"),
    "small": (pl.UInt8, [1, 2, 3], "number"),
    "float": (pl.Float32, [1.5, None, float("nan")], "number"),
    "nothing": (pl.Null, [None, None, None], "number"),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_of_polars_keep_their_meaning(column):
    dtype, values, kind = COLUMNS[column]
    frame = pl.DataFrame({"x": pl.Series(values * 100, dtype=dtype), "z": np.arange(300.0)})
    y = np.arange(300) % 3 == 0
    scorer = ClientScorer(method="woe").fit(frame, y)
    one = scorer.card_.bins[0]
    assert one.kind == kind
    counts = scorer.row_counts(frame).loc["x"]
    missing = [value is None or value != value for value in values]  # noqa: PLR0124 -- NaN differs from itself
    assert counts["missing"] == 100 * sum(missing)
    if column != "decimal":  # one client comes as Python numbers, not as decimals
        one = scorer.score_one({"x": None if missing[2] else values[2], "z": 2.0})
        assert one["pd"] == scorer.predict_proba(frame)[2, 1]
    assert counts["unseen"] == 0


@pytest.mark.parametrize(
    "values",
    [[dt.date(2020, 1, 1)], [dt.datetime(2020, 1, 1)], [dt.timedelta(days=1)], [[1.0]], [b"a"]],
    ids=["date", "datetime", "duration", "list", "binary"],
)
def test_columns_that_are_no_feature_are_named(values):
    frame = pl.DataFrame({"x": values * 20, "z": np.arange(20.0)})
    with pytest.raises(DataError, match="'x' must hold numbers"):
        ClientScorer(method="woe").fit(frame, np.arange(20) % 2)


def test_what_arrow_cannot_hand_over_is_named():
    frame = pl.DataFrame({"x": pl.Series([1, 2], dtype=pl.Int128)})
    with pytest.raises(DataError, match=r"polars.*cannot be read through Arrow"):
        ClientScorer().fit(frame, [0, 1])
    with pytest.raises(DataError, match="cannot be read through Arrow"):
        ClientScorer().fit(pl.Series([1.0, 2.0]), [0, 1])


def test_absent_columns_are_named_and_an_array_still_needs_names(woe, newer):
    frame = pl.from_pandas(newer[0].reset_index(drop=True))
    with pytest.raises(MissingColumnError, match="'noise' is missing"):
        woe.points(frame.drop("noise"))
    with pytest.raises(DataError, match="must be a DataFrame"):
        woe.points(frame.select("interest_cover", "dpd_max_3m").to_numpy())
