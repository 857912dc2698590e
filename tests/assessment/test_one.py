from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clientscore.assessment import COLUMNS, Assessment, ClientModel
from clientscore.churn import ChurnModel
from clientscore.exceptions import DataError, MissingColumnError
from clientscore.features import build_context, build_features, build_reference
from clientscore.need import FinancingNeedForecaster
from clientscore.schema import ClientSchema
from clientscore.scoring import ClientScorer

AS_OF = "2024-01-01"
SCHEMA = ClientSchema.default()
N_CLIENTS = 30


@pytest.fixture(scope="module")
def inputs(small_book):
    """Features and context of thirty clients, some values missing, two of them gone by a rule."""
    reference = build_reference(small_book.tables, SCHEMA, [AS_OF])
    X = build_features(small_book.tables, SCHEMA, [AS_OF], reference=reference).iloc[:N_CLIENTS]
    C = build_context(small_book.tables, SCHEMA, [AS_OF]).iloc[:N_CLIENTS]
    rng = np.random.default_rng(0)
    X = X.mask(rng.random(X.shape) < 0.1)
    C = C.mask(rng.random(C.shape) < 0.1)
    C["silent"] = np.arange(N_CLIENTS) < 2
    C["exit_state"] = pd.Series(["hard_attrition"] + [None] * (N_CLIENTS - 1), index=C.index, dtype="str")
    C["credit_signal_state"] = np.resize(["green", "red", None], N_CLIENTS)
    C["attrition_signal_state"] = np.resize([None, "amber"], N_CLIENTS)
    C["alarms"] = np.resize(["", "dpd_days, utilization"], N_CLIENTS)
    return X, C


def mappings(X, C):
    """Each client's features and context as a caller would hand them over."""
    return [
        (features, {**context, "client_id": client, "as_of": f"{date:%Y-%m-%d}"})
        for (client, date), features, context in zip(
            X.index, X.to_dict("records"), C.to_dict("records"), strict=True
        )
    ]


@pytest.fixture(scope="module")
def lively_model(small_book):
    """A model whose heads all learned cards, with pairs: on the small book churn alone would be constant."""
    dates = ["2021-07-01", "2022-01-01", "2022-07-01"]
    return ClientModel(
        scorer=ClientScorer(max_rounds=60, n_bags=2, random_state=0),
        churn=ChurnModel(min_events=5, max_rounds=60, random_state=0),
        need=FinancingNeedForecaster(max_rounds=60, random_state=0),
    ).fit(small_book.tables, as_of=dates)


def assert_same(one, row):
    assert list(one) == list(COLUMNS)
    for name, expected in ((name, row[name]) for name in COLUMNS):
        assert type(one[name]) is type(expected), name
        if isinstance(expected, float):
            assert one[name] == pytest.approx(expected, rel=1e-12, abs=1e-12), name
        else:
            assert one[name] == expected, name


@pytest.mark.parametrize("which", ["small_model", "lively_model"])
def test_one_client_gets_the_row_of_the_batch(request, inputs, which) -> None:
    model = request.getfixturevalue(which)
    X, C = inputs
    batch = model.assess_features(X, context=C)
    for features, context in mappings(X, C):
        assert_same(model.assess_one(features, context), batch.client(context["client_id"]))
    frame = batch.frame()
    assert frame["tier"].isna().any()  # a size that is missing
    assert frame["tier"].nunique() > 1
    assert frame["churn_cause"].head(2).tolist() == ["hard_attrition", "silent_attrition"]
    assert frame.loc[frame["credit_signal_state"].eq("red"), "watch"].all()
    assert frame["churn_lifetime_months"].notna().sum() == N_CLIENTS - 2
    if which == "lively_model":
        assert model.churn_.hazard_.card_ is not None
        assert frame["churn_driver_1"].notna().sum() > N_CLIENTS / 2
        assert frame["churn_driver_1"].nunique() > 3
        share = model.churn_.service_share(X, cause="churn")["churn", 12, "fraction"]
        assert frame["churn_service_share"].dropna().tolist() == pytest.approx(share.tolist()[2:], rel=1e-9)


def test_no_frame_is_built_on_the_way(lively_model, inputs, monkeypatch) -> None:
    X, C = inputs
    given = mappings(X, C)
    previous = [{"as_of": "2023-10-01", "tier": "B"}]

    def refuse(*_args, **_kwargs) -> None:
        raise AssertionError("a pandas object was built")

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "__init__", refuse)
        patch.setattr(pd.Series, "__init__", refuse)
        with pytest.raises(AssertionError, match="pandas object"):
            pd.Series([1.0])
        answers = [lively_model.assess_one(*one, previous=previous) for one in given]
    assert len({answer["tier_reason"] for answer in answers}) > 20


def test_earlier_runs_hold_a_tier_as_in_the_batch(small_model, inputs) -> None:
    X, C = inputs
    clients = X.index.get_level_values("client_id")
    rng = np.random.default_rng(1)
    past = pd.DataFrame(
        [(c, pd.Timestamp(d)) for c in clients[:20] for d in ("2023-07-01", "2023-10-01")],
        columns=["client_id", "as_of"],
    ).assign(tier=rng.choice(["A", "B", "C"], 40))
    batch = small_model.assess_features(X, context=C, previous=past)
    held = 0
    for features, context in mappings(X, C):
        own = past.loc[past["client_id"] == context["client_id"], ["as_of", "tier"]].to_dict("records")
        one = small_model.assess_one(features, context, own)
        assert_same(one, batch.client(context["client_id"]))
        held += "held at" in (one["tier_reason"] or "")
    assert held > 3


def test_a_run_without_a_date_keeps_its_history(small_model, inputs) -> None:
    X, C = (part.droplevel("as_of") for part in inputs)
    runs = {"2023-07-01": "C", "2023-10-01": "A"}
    own = [{"as_of": date, "tier": tier} for date, tier in runs.items()]
    past = pd.concat([pd.DataFrame({"client_id": X.index}).assign(**run) for run in own])
    past["as_of"] = pd.to_datetime(past["as_of"])
    batch = small_model.assess_features(X, context=C, previous=past)
    for client, features, context in zip(X.index, X.to_dict("records"), C.to_dict("records"), strict=True):
        one = small_model.assess_one(features, {**context, "client_id": client}, own)
        assert_same(one, batch.client(client))
        assert one["as_of"] is one["need_month"] is one["next_review"] is None
        assert one["tier_previous"] == "A"
    assert batch.frame()["tier_reason"].str.contains("held at A").any()


def test_other_keys_change_nothing_and_the_inputs_stay_as_they_were(small_model, inputs) -> None:
    features, context = mappings(*inputs)[5]
    kept = dict(features), dict(context)
    plain = small_model.assess_one(features, context)
    extra = small_model.assess_one({**features, "shoe_size": 43}, {**context, "hobby": "chess"})
    assert extra == plain
    assert repr((features, context)) == repr(kept)


def test_missing_is_none_nan_or_na(small_model, inputs) -> None:
    features, context = mappings(*inputs)[3]
    answers = [
        small_model.assess_one(
            {name: mark if pd.isna(value) else value for name, value in features.items()},
            {name: mark if pd.isna(value) else value for name, value in context.items()},
        )
        for mark in (None, float("nan"), pd.NA)
    ]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    "as_of",
    [
        AS_OF,
        pd.Timestamp(AS_OF),
        np.datetime64(AS_OF),
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1),
    ],
)
def test_a_date_may_be_text_date_or_moment(small_model, inputs, as_of) -> None:
    features, context = mappings(*inputs)[4]
    assert small_model.assess_one(features, {**context, "as_of": as_of}) == small_model.assess_one(
        features, context
    )


def test_without_context_there_is_a_score_and_no_tier(small_model, inputs) -> None:
    features, _ = mappings(*inputs)[5]
    one = small_model.assess_one(features)
    assert one["client_id"] is one["as_of"] is one["tier"] is None
    assert one["tier_reason"].startswith("not evaluated: size_amount")
    X, _ = inputs
    row = small_model.assess_features(X.iloc[[5]]).client(X.index[5][0])
    dated = {"client_id", "as_of", "need_month", "next_review"}
    assert_same(one | {name: row[name] for name in dated}, row)


def test_heads_that_were_not_learned_are_left_out(small_book, inputs) -> None:
    X, C = inputs
    outcomes = pd.DataFrame({"bad": np.arange(N_CLIENTS) % 3 == 0}, index=X.index).astype(float)
    model = ClientModel(random_state=0).fit_features(X, outcomes)
    batch = model.assess_features(X, context=C)
    for features, context in mappings(X, C)[:5]:
        one = model.assess_one(features, context)
        assert_same(one, batch.client(context["client_id"]))
        assert one["churn_12m"] is one["churn_cause"] is one["need_probability_12m"] is None


def test_what_cannot_be_read_is_named(small_model, inputs) -> None:
    features, context = mappings(*inputs)[5]
    renamed = {name.replace("interest_cover", "interest_covr"): value for name, value in features.items()}
    with pytest.raises(
        MissingColumnError, match=r"'interest_cover' is missing\. Did you mean 'interest_covr'"
    ):
        small_model.assess_one(renamed, context)
    with pytest.raises(DataError, match="'log_assets' must be finite"):
        small_model.assess_one({**features, "log_assets": float("inf")}, context)
    with pytest.raises(DataError, match="as_of must be a date; got 'soon'"):
        small_model.assess_one(features, {**context, "as_of": "soon"})
    with pytest.raises(DataError, match="as_of must be a date; got 20240101"):
        small_model.assess_one(features, {**context, "as_of": 20240101})
    with pytest.raises(DataError, match="size_amount must hold a number"):
        small_model.assess_one(features, {**context, "size_amount": "large"})


def test_the_answer_does_not_change_with_the_client_before(lively_model, inputs) -> None:
    given = mappings(*inputs)[:6]
    first = [lively_model.assess_one(*one) for one in given]
    assert [lively_model.assess_one(*one) for one in reversed(given)] == first[::-1]


def test_the_batch_is_an_assessment_of_the_same_columns(small_model, inputs) -> None:
    batch = small_model.assess_features(inputs[0], context=inputs[1])
    assert isinstance(batch, Assessment)
    assert list(small_model.assess_one(*mappings(*inputs)[0])) == list(batch.frame().columns)
