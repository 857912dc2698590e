from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from clientscore.assessment import COLUMNS, Assessment, ClientModel
from clientscore.churn import ChurnModel
from clientscore.exceptions import DataError, InvalidParameterError
from clientscore.features import build_context, build_features, build_reference
from clientscore.labels import ExitRules, SilentRule, build_labels, churn_target, exit_state
from clientscore.schema import ClientSchema
from clientscore.scoring import ClientScorer
from clientscore.signals import build_signal_reference

AS_OF = "2024-01-01"
SCHEMA = ClientSchema.default()


def test_the_frame_has_every_column_of_the_contract_in_order(small_result: Assessment) -> None:
    frame = small_result.frame()
    assert list(frame.columns) == list(COLUMNS)
    assert frame["client_id"].is_unique
    assert frame["as_of"].eq(pd.Timestamp(AS_OF)).all()


def test_probabilities_lie_in_the_unit_interval_and_grow_with_the_horizon(small_result: Assessment) -> None:
    frame = small_result.frame()
    for columns in (
        ["churn_3m", "churn_6m", "churn_12m"],
        ["need_probability_3m", "need_probability_6m", "need_probability_12m"],
    ):
        known = frame[columns].dropna()
        assert len(known) > 100
        assert known.to_numpy().min() >= 0
        assert known.to_numpy().max() <= 1
        assert (known.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert frame["pd"].between(0, 1).all()


def test_pillar_points_add_up_to_the_points(small_result: Assessment) -> None:
    frame = small_result.frame()
    pillars = [name for name in frame if name.endswith("_points") and name != "base_points"]
    assert len(pillars) == 5
    np.testing.assert_allclose(frame[pillars].sum(axis=1) + frame["base_points"], frame["points"], atol=1e-9)


def test_amount_intervals_are_ordered(small_result: Assessment) -> None:
    frame = small_result.frame()
    assert (frame["need_amount_lower"] <= frame["need_amount_median"]).all()
    assert (frame["need_amount_median"] <= frame["need_amount_upper"]).all()


def test_a_client_gone_by_a_rule_has_no_churn_but_a_tier_and_a_plan(
    small_book, small_result: Assessment
) -> None:
    frame = small_result.frame()
    state = exit_state(small_book.tables, SCHEMA, AS_OF).reindex(frame["client_id"])
    gone = state.notna().to_numpy()
    assert gone.any()
    assert frame.loc[gone, "churn_cause"].tolist() == state[gone].tolist()
    assert frame.loc[~gone, "churn_12m"].notna().all()
    nothing = ["churn_12m", "churn_driver_1", "churn_lifetime_months", "churn_service_share"]
    assert frame.loc[gone, nothing].isna().all(axis=None)
    assert frame.loc[gone, ["pd", "tier", "service_layer"]].notna().all(axis=None)


def test_six_months_without_business_are_a_hard_exit(small_book, small_model: ClientModel) -> None:
    client = small_model.assess(small_book.tables, as_of=AS_OF, signals=False).frame()["client_id"].iloc[3]
    last = pd.Timestamp("2023-07-01")
    tables = {
        name: table[(table["client_id"] != client) | (table["month"] < last)]
        if name in ("interactions", "facilities")
        else table
        for name, table in small_book.tables.items()
    }
    row = small_model.assess(tables, as_of=AS_OF, signals=False).client(client)
    assert (row["churn_cause"], row["churn_12m"]) == ("hard_attrition", None)
    assert row["tier"] is not None


@pytest.mark.slow
def test_the_models_own_exit_rules_decide(small_book, small_result: Assessment) -> None:
    strict = ExitRules(silent=SilentRule(ratio=0.85, hold_months=1))
    dates = ["2021-07-01", "2022-01-01", "2022-07-01"]
    heads = {"churn": ChurnModel(max_rounds=5, random_state=0), "scorer": ClientScorer(method="woe")}
    model = ClientModel(exit_rules=strict, random_state=0, **heads).fit(small_book.tables, as_of=dates)
    y = build_labels(small_book.tables, SCHEMA, dates, rules=strict)
    events = model.churn_.summary()["events"]
    usual = churn_target(build_labels(small_book.tables, SCHEMA, dates))
    assert events["silent_attrition"] == churn_target(y)["event"].eq("silent_attrition").sum()
    assert events["silent_attrition"] > usual["event"].eq("silent_attrition").sum()
    mine = model.assess(small_book.tables, as_of=AS_OF, signals=False).frame()
    assert mine["churn_12m"].isna().sum() > small_result.frame()["churn_12m"].isna().sum()
    again = ClientModel.from_state(model.to_state())
    assert again.exit_rules_ == strict
    assert clone(model).exit_rules == strict


def test_rows_after_the_date_change_nothing(small_book, small_model: ClientModel) -> None:
    when = "2023-01-01"
    whole = small_model.assess(small_book.tables, as_of=when).frame()
    events = small_book.tables["events"]
    facilities = small_book.tables["facilities"]
    past = {
        **small_book.tables,
        "events": events[events["date"] <= when],
        "facilities": facilities[facilities["month"] < when],
        "interactions": small_book.tables["interactions"].query("month < @when"),
        "surveys": small_book.tables["surveys"].query("answered_at <= @when"),
    }
    pd.testing.assert_frame_equal(small_model.assess(past, as_of=when).frame(), whole, check_exact=True)


def test_features_and_tables_give_the_same(small_book, small_model: ClientModel) -> None:
    X = build_features(small_book.tables, SCHEMA, [AS_OF])
    C = build_context(small_book.tables, SCHEMA, [AS_OF])
    from_features = small_model.assess_features(X, context=C).frame()
    from_tables = small_model.assess(small_book.tables, as_of=AS_OF, signals=False).frame()
    columns = ["client_id", "points", "pd", "need_probability_12m", "tier", "reason_1", "products"]
    pd.testing.assert_frame_equal(from_features[columns], from_tables[columns], check_exact=True)


def test_a_chunk_scored_with_the_books_reference_gives_the_same(small_book, small_model: ClientModel) -> None:
    reference = build_reference(small_book.tables, SCHEMA, [AS_OF])
    whole = small_model.assess(small_book.tables, as_of=AS_OF).frame().set_index("client_id")
    some = list(whole.index[:3])
    chunk = {
        name: table[table["client_id"].isin(some)] if "client_id" in table else table
        for name, table in small_book.tables.items()
    }
    peers = build_signal_reference(small_book.tables, SCHEMA, AS_OF)
    part = small_model.assess(chunk, as_of=AS_OF, reference=reference, signal_reference=peers)
    frame = part.frame().set_index("client_id")
    pd.testing.assert_frame_equal(frame, whole.loc[frame.index], check_exact=True)


def test_the_same_seed_gives_the_same_model(small_book, small_model: ClientModel) -> None:
    again = ClientModel(random_state=0).fit(
        small_book.tables, as_of=["2021-07-01", "2022-01-01", "2022-07-01"]
    )
    assert again.model_version_ == small_model.model_version_


def test_default_training_dates_leave_room_for_history_lead_and_horizon(small_book) -> None:
    dates = ClientModel().training_dates(small_book.tables)
    assert dates[-1] == pd.Timestamp("2022-12-01")  # 13 months before 2024-01-01
    assert dates[0] >= pd.Timestamp("2021-01-01")
    assert set(np.diff(dates.month) % 12) == {3}


def test_a_book_too_short_says_what_it_lacks(small_book) -> None:
    short = {
        name: table.query("month < '2020-08-01'") if "month" in table else table
        for name, table in small_book.tables.items()
        if name in ("clients", "interactions")
    }
    with pytest.raises(DataError, match="must span at least 12 months of history and 13 months of outcome"):
        ClientModel().fit(short)


def test_heads_without_outcome_are_skipped(small_book) -> None:
    dates = ["2022-01-01", "2022-07-01"]
    X = build_features(small_book.tables, SCHEMA, dates)
    y = build_labels(small_book.tables, SCHEMA, dates)
    model = ClientModel(random_state=0).fit_features(X, y[["bad"]], pillars={"log_assets": "market"})
    assert model.churn_ is None
    assert model.need_ is None
    frame = model.assess_features(X.loc[pd.IndexSlice[:, dates[1:]], :]).frame()
    assert list(frame.columns) == list(COLUMNS)
    assert frame["pd"].notna().all()
    assert frame[["churn_12m", "need_probability_12m"]].isna().all(axis=None)
    assert frame["tier"].isna().all()  # size is context, and there was none: not evaluated, never "C"


def test_outcomes_must_stand_on_the_index_of_the_features(small_book) -> None:
    X = build_features(small_book.tables, SCHEMA, ["2022-01-01"])
    y = build_labels(small_book.tables, SCHEMA, ["2022-01-01"])
    with pytest.raises(DataError, match="outcomes must stand on X's index"):
        ClientModel().fit_features(X, y.iloc[:-1])
    with pytest.raises(DataError, match=r"outcomes must hold bad, .*got need_month"):
        ClientModel().fit_features(X, pd.DataFrame({"need_month": 1}, index=X.index))


@pytest.mark.parametrize("horizons", [(), (0,), (3.5,), ("12",)])
def test_horizons_must_be_whole_periods(small_book, horizons) -> None:
    with pytest.raises(InvalidParameterError, match="horizons must be whole periods of at least 1"):
        ClientModel(horizons=horizons).fit(small_book.tables)


def test_assess_takes_one_date(small_book, small_model: ClientModel) -> None:
    with pytest.raises(InvalidParameterError, match="as_of must be one date; got 2"):
        small_model.assess(small_book.tables, as_of=["2023-01-01", AS_OF])


def test_a_date_without_clients_gives_no_rows_and_all_columns(small_book, small_model: ClientModel) -> None:
    empty = {name: table.iloc[:0] for name, table in small_book.tables.items()}
    result = small_model.assess(empty, as_of=AS_OF)
    assert list(result.frame().columns) == list(COLUMNS)
    assert len(result) == 0
    assert result.summary().empty
    assert "0 clients" in repr(result)


def test_bad_rows_are_listed_and_the_rest_is_assessed(
    small_book, small_model: ClientModel, small_result
) -> None:
    broken = small_book.tables["facilities"].astype({"limit_amount": "float64"}).copy()
    broken.loc[broken.index[:5], "limit_amount"] = np.inf
    result = small_model.assess({**small_book.tables, "facilities": broken}, as_of=AS_OF)
    assert len(result.rejects) == 5
    assert len(result) == len(small_result)


def test_previous_tiers_are_shown(small_book, small_model: ClientModel, small_result: Assessment) -> None:
    before = small_model.assess(small_book.tables, as_of="2023-10-01").frame()[["client_id", "as_of", "tier"]]
    frame = small_model.assess(small_book.tables, as_of=AS_OF, previous=before).frame().set_index("client_id")
    shown = frame["tier_previous"].dropna()
    assert len(shown) > 100
    assert shown.equals(before.set_index("client_id")["tier"].reindex(shown.index).rename("tier_previous"))
    assert small_result.frame()["tier_previous"].isna().all()


def test_a_clients_rows_stay_together_whatever_the_index_is_called() -> None:
    """A bag that has seen a held-out client under another date would find any noise foreseeable."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2020-01-01", periods=6, freq="QS")
    index = pd.MultiIndex.from_product([[f"c{i:03d}" for i in range(300)], dates])
    X = pd.DataFrame(np.repeat(rng.normal(size=(300, 3)), 6, axis=0), index=index, columns=list("abc"))
    outcomes = pd.DataFrame({"bad": np.repeat(rng.random(300) < 0.3, 6).astype(float)}, index=index)
    named = [X.rename_axis(names) for names in (["client_id", "as_of"], ["company", "date"])]
    models = [
        ClientModel(random_state=0).fit_features(frame, outcomes.set_axis(frame.index)) for frame in named
    ]
    assert models[0].model_version_ == models[1].model_version_
    assert np.ptp(models[1].assess_features(named[1]).frame()["pd"]) < 0.3
