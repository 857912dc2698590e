from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from clientscore.assessment import ClientModel
from clientscore.exceptions import DataError, InvalidParameterError

N = 120
IDS = pd.Index([f"c{i}" for i in range(N)], name="client_id")


def table(index: pd.Index = IDS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"alpha": rng.normal(size=N), "beta": rng.normal(size=N)}, index=index)


def outcome(X: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"bad": (X["alpha"] > 0.8).astype(float)}, index=X.index)


@pytest.fixture(scope="module")
def model() -> ClientModel:
    return ClientModel(random_state=0).fit_features(table(), outcome(table()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"schema": "schema.toml"},
            r"schema must be a ClientSchema or None; got 'schema.toml'. Give ClientSchema",
        ),
        ({"scorer": "boosted"}, "scorer must be a ClientScorer or None"),
        ({"tiers": {"A": 1}}, "tiers must be a TierPolicy or None"),
        ({"strategy": "policy.toml"}, r'Give ServiceStrategy.from_toml\("policy.toml"\)'),
        ({"exit_rules": {"hard": {}}}, "exit_rules must be a ExitRules or None"),
        ({"signal_rules": "signals.toml"}, r'or SignalRules.from_toml\("signals.toml"\)'),
        ({"horizons": 12}, r"horizons must be whole periods of at least 1, such as \(3, 6, 12\); got 12"),
        ({"horizons": (True,)}, "horizons must be whole periods"),
        ({"n_jobs": 0}, "n_jobs must be a whole number other than 0"),
        ({"random_state": "x"}, "random_state must be a whole number of at least 0"),
        ({"random_state": -1}, "random_state must be a whole number of at least 0"),
        ({"random_state": np.random.RandomState(0)}, "random_state must be a whole number of at least 0"),
        ({"lead": 1.5}, "lead must be a whole number of at least 0"),
    ],
)
def test_settings_of_another_kind(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClientModel(**settings).fit_features(table(), outcome(table()))


def test_all_settings_are_judged_at_once() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        ClientModel(schema=1, need=2, n_jobs=0).fit({})
    assert [fault.split()[0] for fault in caught.value.faults] == ["schema", "need", "n_jobs"]


def dated(first: object, second: object, names: tuple[str | None, str | None]) -> pd.MultiIndex:
    return pd.MultiIndex.from_product([first, second], names=names)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (table().to_numpy(), "X must be a DataFrame, features by name; got ndarray"),
        (table().set_axis([1, 2], axis=1), r"Feature names must be text; got \[1, 2\]. Give X.rename"),
        (table(IDS[[0, *range(N - 1)]]), "each once; 'c0' stands in several rows"),
        (table(IDS.where(IDS != "c3")), "the id is missing in 1 of 120 rows"),
        (
            table(dated(pd.to_datetime(["2024-01-01", "2025-01-01"]), IDS[:60], ("as_of", "client_id"))),
            r"got \('as_of', 'client_id'\). Give X.swaplevel\(\)",
        ),
        (table(dated(IDS[:60], [1, 2], ("a", "b"))), r"with dates as as_of; got .*1.*\. Give dates"),
        (table(dated(IDS[:60], ["x", "y"], ("a", "b"))), "with dates as as_of; got 'x'"),
        (
            table(pd.MultiIndex.from_product([IDS[:60], [1], [1, 2]])),
            "got 3 levels",
        ),
    ],
)
def test_a_feature_table_that_cannot_be_used(model: ClientModel, X: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        model.assess_features(X)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        ClientModel().fit_features(X, outcome(table()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "index",
    [
        IDS,
        pd.RangeIndex(N),
        dated(IDS[:60], pd.to_datetime(["2024-01-01", "2025-01-01"]), ("client_id", "as_of")),
        dated(range(60), ["2024-01-01", "2025-01-01"], (None, None)),
    ],
)
def test_indexes_of_one_and_two_levels(index: pd.Index) -> None:
    X = table(index)
    model = ClientModel(random_state=0).fit_features(X, outcome(X), pillars={"alpha": "credit"})
    frame = model.assess_features(X).frame()
    assert frame["client_id"].tolist() == [str(one) for one in index.get_level_values(0)]
    assert frame["as_of"].notna().all() == (index.nlevels == 2)
    assert (frame["credit_points"] != 0).any()


def test_outcomes_and_context_are_frames(model: ClientModel) -> None:
    X = table()
    with pytest.raises(DataError, match=r"outcomes must be a DataFrame; got a Series. Give its to_frame\(\)"):
        ClientModel().fit_features(X, outcome(X)["bad"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="outcomes must be a DataFrame on X's index; got ndarray"):
        ClientModel().fit_features(X, outcome(X).to_numpy())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="pillars must be a mapping of names to values; got list"):
        ClientModel().fit_features(X, outcome(X), pillars=["credit"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="context must be a DataFrame on X's index; got dict"):
        model.assess_features(X, context={"size_amount": 1.0})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"previous must be a DataFrame .* Give the frame\(\)"):
        model.assess_features(X, previous={"tier": "A"})  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["boolean", "object", "float64"])
def test_a_silent_flag_that_is_missing_is_no(small_book, small_model: ClientModel, dtype: str) -> None:
    X = pd.DataFrame(0.5, index=IDS[:3], columns=small_model.feature_names_in_)
    missing = None if dtype == "object" else np.nan if dtype == "float64" else pd.NA
    flags = pd.Series([1, 0, missing], index=X.index, dtype=dtype)
    frame = small_model.assess_features(X, context=pd.DataFrame({"silent": flags})).frame()
    assert frame["churn_12m"].isna().tolist() == [True, False, False]


def test_a_silent_flag_in_words_is_refused(model: ClientModel) -> None:
    X = table()
    with pytest.raises(DataError, match="silent must hold true, false or missing; got 'no'"):
        model.assess_features(X, context=pd.DataFrame({"silent": "no"}, index=X.index))
    with pytest.raises(DataError, match="silent must be true, false or missing; got 'no'"):
        model.assess_one(X.iloc[0].to_dict(), {"silent": "no"})


def test_an_exit_state_that_is_no_word_is_refused(model: ClientModel) -> None:
    X = table()
    with pytest.raises(DataError, match=r"exit_state must hold causes as text or be missing; got 1"):
        model.assess_features(X, context=pd.DataFrame({"exit_state": [1] * N}, index=X.index))
    with pytest.raises(DataError, match="exit_state must be a cause as text or missing; got True"):
        model.assess_one(X.iloc[0].to_dict(), {"exit_state": True})


def test_a_signal_state_of_another_color_is_refused(small_book, small_model: ClientModel) -> None:
    X = pd.DataFrame(0.5, index=IDS[:2], columns=small_model.feature_names_in_)
    context = pd.DataFrame({"size_amount": 1e8, "credit_signal_state": ["red", "orange"]}, index=X.index)
    with pytest.raises(DataError, match="credit_signal_state must hold green, amber, red or be missing"):
        small_model.assess_features(X, context=context)
    with pytest.raises(DataError, match="got orange"):
        small_model.assess_one(X.iloc[1].to_dict(), context.iloc[1].to_dict())


def test_one_client_as_a_row_of_a_frame(model: ClientModel) -> None:
    row = table().iloc[0]
    context = pd.Series({"client_id": "c0", "size_amount": 1e8})
    assert model.assess_one(row, context) == model.assess_one(row.to_dict(), context.to_dict())


@pytest.mark.parametrize(
    ("features", "context", "previous", "message"),
    [
        ([1.0, 2.0], None, None, "features must be a mapping of names to values; got list"),
        (None, None, None, "features must be a mapping of names to values; got NoneType"),
        ({"alpha": 1, "beta": 1}, [1], None, "context must be a mapping"),
        (
            {"alpha": 1, "beta": 1},
            None,
            "A",
            "previous must be a list of mappings with as_of and tier; got str",
        ),
        ({"alpha": 1, "beta": 1}, None, pd.DataFrame({"tier": ["A"]}), r'frame.to_dict\("records"\)'),
    ],
)
def test_one_client_that_cannot_be_read(
    model: ClientModel, features: object, context: object, previous: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        model.assess_one(features, context, previous)  # type: ignore[arg-type]


def test_an_assessment_long_after_the_last_record_is_logged(
    small_book, small_model: ClientModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        small_model.assess(small_book.tables, as_of="2024-02-01")
        assert not caplog.records
        small_model.assess(small_book.tables, as_of="2042-01-01")
    assert "the last record of the book is of 2024-01-01, the assessment of 2042-01-01" in caplog.text
