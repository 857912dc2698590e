from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.strategy import ServiceStrategy

PLAN_COLUMNS = [
    *("service_layer", "coverage", "sla_hours", "sla_terms_days", "sla_decision_days"),
    *("contact_cadence_days", "products", "reports", "actions", "action_value", "rule", "strategy_reason"),
    *("runner_up", "policy_warning", "next_review"),
]


def test_plan_by_hand(strategy, client):
    plan = strategy.recommend_one(client, as_of="2026-01-01")
    assert plan["service_layer"] == "value_added"
    assert plan["coverage"] == "portfolio_manager"
    assert (plan["sla_hours"], plan["sla_terms_days"], plan["sla_decision_days"]) == (24, 5, 15)
    assert plan["contact_cadence_days"] == 45
    assert plan["next_review"] == dt.date(2026, 6, 30)
    assert plan["reports"] == "maintenance_report"
    assert plan["actions"] == "complaint_resolution"
    # 20 % x 25 % x (3 years x 400,000) - (500 + 4 hours x 400)
    assert plan["action_value"] == pytest.approx(0.2 * 0.25 * 1_200_000 - 2_100)
    visit = 0.2 * 0.10 * 1_200_000 - (1500 + 6 * 400)
    fast = 0.2 * 0.10 * 1_200_000 - (800 + 3 * 400)
    assert fast > visit
    gap = plan["action_value"] - fast
    assert (
        plan["runner_up"] == f"put the next request on the fast approval track ({fast:,.0f}, {gap:,.0f} less)"
    )
    assert plan["strategy_reason"].startswith("Core client (tier B, watch no). Value-added service (")
    assert plan["strategy_reason"].endswith(
        "churn 20.0% x 25% effect (driver: mean hours to answer in 3 months) x value at stake 1,200,000"
        " - cost 2,100 = 57,900"
    )


def test_growth_action_pays_margin_less_risk(strategy, client):
    client |= {"need_probability_12m": 0.8, "need_amount_expected": 4e7, "churn_12m": 0.0}
    plan = strategy.recommend_one(client)
    assert plan["actions"] == "financing_proposal"
    won = 0.10 * 4e7 * 2.5
    assert plan["action_value"] == pytest.approx(won * (0.02 - 0.01 * 0.4) - (1500 + 8 * 400))
    assert plan["next_review"] is None


@pytest.mark.parametrize(
    ("change", "products"),
    [
        ({}, "cash_management; payroll"),
        ({"need_probability_12m": 0.5}, "equipment_loan; leasing; term_loan"),
        ({"need_probability_12m": 0.5, "need_product": "green_loan"}, "green_loan; equipment_loan; leasing"),
        (
            {"need_probability_12m": 0.5, "industry": "technology"},
            "ip_pledge_loan; term_loan; equipment_loan",
        ),
        ({"need_probability_12m": 0.5, "industry": "fishing"}, "term_loan; leasing"),
        ({"need_probability_12m": 0.5, "segment": "project"}, "project_loan; construction_loan; bridge_loan"),
        ({"need_probability_12m": None}, "supply_chain_finance; equipment_loan; revolving_line"),
        ({"need_probability_12m": 0.5, "need_purpose": "liquidity_stress"}, ""),
        ({"watch": True}, ""),
        ({"kyc_valid": False}, ""),
        ({"consent": False}, ""),
        ({"consent": None}, ""),
        ({"contacts_30d": 5}, ""),
        ({"contacts_30d": 4}, "cash_management; payroll"),
    ],
)
def test_products_follow_need_industry_and_guardrails(strategy, client, change, products):
    # Below the likely-need line of the layer table, so that the layer stays the same.
    changed = client | change
    if changed["need_probability_12m"] == 0.5:
        changed |= {"need_probability_12m": 0.39}
    assert strategy.recommend_one(changed)["products"] == products


def test_guardrails_say_why(strategy, client):
    reason = strategy.recommend_one(client | {"kyc_valid": False, "consent": None})["strategy_reason"]
    assert "No offers: consent not evaluated: consent missing; KYC file is not valid" in reason
    assert "renew the KYC file" in reason


def test_watch_and_stress_get_reviews_instead_of_sales(strategy, client):
    stressed = client | {"need_purpose": "liquidity_stress", "need_probability_12m": 0.9, "churn_12m": 0.0}
    plan = strategy.recommend_one(stressed)
    assert plan["actions"] == "restructuring_review"
    assert plan["action_value"] == pytest.approx(0.12 * 0.4 * 0.01 * 1e6 - (2000 + 10 * 400))
    watched = strategy.recommend_one(client | {"watch": True, "tier": "A"})
    assert watched["actions"].split("; ")[0] == "early_warning_review"
    assert watched["coverage"] == "credit_manager"
    assert watched["service_layer"] == "deep_cooperation"


def test_missing_is_not_evaluated_and_takes_the_named_default(strategy, client):
    plan = strategy.recommend_one(client | {"tier": None})
    assert plan["service_layer"] == "basic"
    assert plan["rule"].startswith("layer: not evaluated")
    assert "Layer not evaluated: tier missing" in plan["strategy_reason"]
    plan = strategy.recommend_one(client | {"churn_12m": None, "churn_cause": None})
    assert plan["actions"] == ""
    assert plan["action_value"] is None
    assert "Some actions not evaluated: churn_12m missing" in plan["strategy_reason"]


def test_silent_run_off_is_won_back(strategy, client):
    plan = strategy.recommend_one(client | {"churn_12m": None, "churn_cause": "silent_attrition"})
    assert plan["actions"] == "win_back_call"
    assert plan["action_value"] == pytest.approx(0.08 * 1_200_000 - (2000 + 8 * 400))


def test_one_client_alone_gets_the_plan_it_gets_in_the_book(strategy, book):
    plans = strategy.recommend(book, as_of="2026-01-01")
    for client in book.index[:150]:
        values = {k: None if pd.isna(v) else v for k, v in book.loc[client].items()}
        one = strategy.recommend_one(values, as_of="2026-01-01")
        for name, expected in plans.loc[client].items():
            got = one[name]
            if isinstance(expected, float) and math.isnan(expected):
                assert got is None, name
            elif name == "next_review":
                assert pd.Timestamp(got) == expected
            else:
                assert got == expected, name


def test_any_chunking_gives_the_same_plans(strategy, book):
    whole = strategy.recommend(book)
    parts = [strategy.recommend(book.iloc[i : i + 700]) for i in range(0, len(book), 700)]
    pd.testing.assert_frame_equal(pd.concat(parts), whole)


def test_gates_hold_for_everyone(strategy, book):
    plans = strategy.recommend(book)
    closed = ~(book["watch"].eq(False) & book["consent"].eq(True) & book["kyc_valid"].eq(True)).fillna(False)
    closed |= book["need_purpose"].eq("liquidity_stress").fillna(False)
    assert closed.any()
    assert (plans.loc[closed.astype(bool), "products"] == "").all()
    offers = plans["actions"].str.contains("financing_proposal|term_refinancing_offer")
    assert offers.any()
    assert not (offers & closed.astype(bool)).any()
    assert (plans.loc[~closed.astype(bool), "products"] != "").all()
    assert plans.drop(columns=["action_value", "next_review"]).notna().all().all()


def test_chosen_action_is_the_best_candidate(strategy, book):
    plans = strategy.recommend(book)
    candidates = strategy.candidates(book)
    free = candidates[~candidates["required"] & (candidates["value"] > 0)]
    best = free.loc[free.groupby("client_id")["value"].idxmax()].set_index("client_id")["action"]
    chosen = plans["actions"].str.split("; ").str[-1].loc[best.index]
    assert (chosen == best).all()
    parts = candidates["value_kept"] + candidates["need_won"] + candidates["loss_avoided"]
    total = parts - candidates["expected_loss_change"] - candidates["cost"]
    assert candidates["value"].to_numpy() == pytest.approx(total.to_numpy(), nan_ok=True)
    assert candidates.loc[candidates["value"].isna(), "required"].all()


def test_chinese_texts(strategy, client):
    plan = strategy.recommend_one(client | {"need_probability_12m": 0.9}, lang="zh")
    assert plan["service_layer"] == "deep_cooperation"
    assert plan["strategy_reason"].startswith("有融资需求的核心客户 (分层 B")
    assert "流失概率20.0%" in plan["strategy_reason"]
    assert "深度服务 (服务层级 深度合作)" in plan["strategy_reason"]
    with pytest.raises(InvalidParameterError, match="lang must be one of 'en', 'zh'; got 'de'"):
        strategy.recommend_one(client, lang="de")


def test_columns_index_and_types(strategy, book):
    dated = book.assign(as_of=pd.Timestamp("2026-01-01")).set_index("as_of", append=True)
    plans = strategy.recommend(dated)
    assert plans.index.equals(dated.index)
    assert list(plans.columns) == PLAN_COLUMNS
    assert (plans["next_review"] > pd.Timestamp("2026-01-01")).all()
    empty = strategy.recommend(book.iloc[:0])
    assert list(empty.columns) == PLAN_COLUMNS
    assert len(empty) == 0
    assert empty.dtypes.equals(plans.dtypes)
    assert len(strategy.candidates(book.iloc[:0])) == 0
    few = strategy.recommend(pd.DataFrame({"tier": ["A"], "watch": [False]}))
    assert few["service_layer"].tolist() == ["deep_cooperation"]
    assert few["next_review"].isna().all()


def test_several_actions_a_client(book):
    document = ServiceStrategy.default().to_dict()
    document["settings"]["max_actions"] = 3
    plans = ServiceStrategy(document).recommend(book)
    single = ServiceStrategy.default().recommend(book)
    assert plans["actions"].str.count("; ").max() >= 2
    assert (plans["action_value"].fillna(0) >= single["action_value"].fillna(0) - 1e-9).all()
    document["settings"]["max_actions"] = 0
    none = ServiceStrategy(document).recommend(book)
    assert set(none["actions"]) <= {
        "", "early_warning_review", "restructuring_review", "kyc_renewal",
        "early_warning_review; kyc_renewal", "early_warning_review; restructuring_review",
        "kyc_renewal; restructuring_review", "early_warning_review; kyc_renewal; restructuring_review",
    }  # fmt: skip


def test_bad_input_is_named(strategy, book, client):
    with pytest.raises(MissingColumnError, match=r"'watch' is missing. Did you mean 'wach'"):
        strategy.recommend(book.rename(columns={"watch": "wach"}))
    with pytest.raises(MissingColumnError, match="'tier' is missing"):
        strategy.recommend_one({"watch": False})
    with pytest.raises(DataError, match="tier must be one of A, B, C; got 'Z'"):
        strategy.recommend_one(client | {"tier": "Z"})
    with pytest.raises(DataError, match="churn_12m must hold numbers"):
        strategy.recommend(book.assign(churn_12m="high"))
    with pytest.raises(DataError, match=r"pd must be a fraction in \[0, 1\]"):
        strategy.recommend(book.assign(pd=np.float64(3)))
