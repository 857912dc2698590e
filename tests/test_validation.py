from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from clientscore.assessment import ClientModel
from clientscore.exceptions import DataError
from clientscore.features import build_features
from clientscore.labels import ExitRules, HardRule, SilentRule, build_labels, churn_target
from clientscore.schema import ClientSchema
from clientscore.scoring import ClientScorer
from clientscore.validation import OutOfTime, out_of_time

TEST = "2022-12-01"


@pytest.fixture(scope="module")
def tested(small_book) -> OutOfTime:
    clients = small_book.tables["clients"]["client_id"]
    oracle = pd.DataFrame({"pd": 0.02, "churn_12m": 0.3, "need_probability_12m": 0.25}, index=clients)
    return out_of_time(ClientModel(random_state=0), small_book.tables, TEST, oracle=oracle)


def test_every_head_stands_beside_its_baseline(tested: OutOfTime) -> None:
    frame = tested.frame()
    assert list(frame["head"].unique()) == [
        "default 12m",
        "churn 3m",
        "churn 6m",
        "churn 12m",
        "hard attrition",
        "silent attrition",
        "need 12m",
        "amount",
    ]
    judged = frame[frame["measure"] != "realized"]
    assert judged[["model", "baseline", "n"]].notna().all(axis=None)
    assert set(judged["baseline_name"]) == {
        "base rate",
        "Aalen-Johansen",
        "constant quantiles",
        "constant median",
        "zero",
    }


def test_a_constant_ranks_nothing(tested: OutOfTime) -> None:
    frame = tested.frame().query("measure == 'AUC'")
    assert (frame["baseline"] == 0.5).all()
    assert (frame["oracle"].dropna() == 0.5).all()  # this one was made constant


def test_churn_is_judged_at_every_horizon_and_by_cause(tested: OutOfTime, small_book) -> None:
    frame = tested.frame().set_index(["head", "measure"])
    y = build_labels(small_book.tables, ClientSchema.default(), [TEST])
    target = churn_target(y)
    X = build_features(small_book.tables, ClientSchema.default(), [TEST]).loc[target.index]
    churn = tested.model.churn_
    for horizon in (3, 6, 12):
        head, p = f"churn {horizon}m", churn.predict_churn(X)[horizon].to_numpy()
        left = target["event"].isin(churn.churn_causes_) & (target["duration"] <= horizon)
        assert frame.at[(head, "AUC"), "model"] == pytest.approx(roc_auc_score(left, p), abs=1e-12)
        assert frame.at[(head, "Brier"), "model"] == pytest.approx(((left - p) ** 2).mean(), abs=1e-12)
        tenth = ((pd.Series(p).rank() - 0.5) / len(p) * 10).astype(int)  # equal risks share a group
        groups = pd.DataFrame({"p": p, "y": left.to_numpy(float)}).groupby(tenth)
        gap = groups.mean().diff(axis=1)["y"].abs()
        expected = np.average(gap, weights=groups.size())
        assert frame.at[(head, "ICI"), "model"] == pytest.approx(expected, abs=1e-9)
    assert 0.3 < frame.at[("churn 12m", "Uno C"), "model"] < 1
    assert frame.at[("churn 12m", "Uno C"), "baseline"] == 0.5
    for cause in churn.churn_causes_:
        head = cause.replace("_", " ")
        assert frame.at[(head, "realized"), "model"] == pytest.approx(target["event"].eq(cause).mean())
        mean = churn.predict_cumulative_incidence(X)[cause, 12].mean()
        assert frame.at[(head, "mean"), "model"] == pytest.approx(mean)


@pytest.mark.slow
def test_the_exit_rules_of_the_model_make_its_outcomes(small_book) -> None:
    never = ExitRules(silent=SilentRule(ratio=0.0001), hard=HardRule(inactive_months=0))
    model = ClientModel(exit_rules=never, scorer=ClientScorer(method="woe"), random_state=0)
    frame = out_of_time(model, small_book.tables, TEST).frame().set_index(["head", "measure"])
    assert "silent attrition" not in frame.index.get_level_values(0)
    assert frame.at[("hard attrition", "realized"), "model"] > 0


def test_no_training_window_reaches_past_the_test_date(tested: OutOfTime) -> None:
    assert (tested.model.as_of_ + pd.DateOffset(months=13) <= pd.Timestamp(TEST)).all()


@pytest.mark.slow
def test_an_open_window_cannot_be_judged(small_book) -> None:
    with pytest.raises(DataError, match="is still open"):
        out_of_time(ClientModel(random_state=0), small_book.tables, "2023-06-01")


def test_a_date_before_any_closed_window_cannot_be_judged(small_book) -> None:
    with pytest.raises(DataError, match="No training window had closed"):
        out_of_time(ClientModel(random_state=0), small_book.tables, "2021-06-01")


def test_shown_as_text_table_and_plain_data(tested: OutOfTime) -> None:
    assert "Out of time at 2022-12-01" in repr(tested)
    assert "<table" in tested._repr_html_()
    assert tested.to_dict()["test_as_of"] == TEST
