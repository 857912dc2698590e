from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError
from clientscore.kpi import FeedbackRules, feedback_360


def ratings(client=(3, 4, 2), peer=(5, 5, 4), own=5, question="answers fast", subject="rm1"):
    rows = [("client", f"c{i}", score) for i, score in enumerate(client)]
    rows += [("peer", f"p{i}", score) for i, score in enumerate(peer)]
    rows += [("self", subject, own)] if own is not None else []
    table = pd.DataFrame(rows, columns=["source", "rater_id", "score"])
    return table.assign(subject_id=subject, question=question)


def test_by_hand():
    row = feedback_360(ratings()).frame().iloc[0]
    assert row["client"] == 3.0
    assert row["peer"] == pytest.approx(14 / 3)
    assert row["overall"] == pytest.approx(0.6 * 3 + 0.4 * 14 / 3)
    assert row["gap"] == pytest.approx(5 - row["overall"])
    assert row["blind_spot"]
    assert (row["n_client"], row["n_peer"]) == (3, 3)


def test_few_raters_are_not_shown_and_weights_go_to_the_others():
    row = feedback_360(ratings(peer=(1, 1))).frame().iloc[0]
    assert np.isnan(row["peer"])
    assert row["overall"] == 3.0
    nobody = feedback_360(ratings(client=(3,), peer=(1,))).frame().iloc[0]
    assert np.isnan(nobody["overall"])
    assert not nobody["blind_spot"]
    shown = feedback_360(ratings(peer=(1, 1)), FeedbackRules(min_raters=2)).frame().iloc[0]
    assert shown["peer"] == 1.0


def test_no_answer_is_no_zero():
    row = feedback_360(ratings(client=(3, 4, 2, None))).frame().iloc[0]
    assert (row["client"], row["n_client"]) == (3.0, 3)


def test_by_subject():
    table = pd.concat([ratings(), ratings(question="knows us", own=2), ratings(subject="rm2", own=None)])
    report = feedback_360(table)
    people = report.by_subject().set_index("subject_id")
    assert people.loc["rm1", "blind_spots"] == 1
    assert people.loc["rm1", "self"] == 3.5
    assert np.isnan(people.loc["rm2", "gap"])
    assert report.to_dict()["weights"]["client"] == 0.6
    assert "rm2" in report._repr_html_()


def test_bad_ratings_tell_all_faults():
    table = pd.concat([ratings(client=(3, 9)), ratings(client=(3,), peer=(), own=None)])
    table = pd.concat([table, table.tail(1).assign(source="boss"), table.tail(1).assign(source="self")])
    table.iloc[2, table.columns.get_loc("question")] = None
    with pytest.raises(DataError, match="cannot be put together") as caught:
        feedback_360(table)
    text = str(caught.value)
    for part in (
        "got boss",
        "1 rows do not",
        "question must not be missing",
        "further answers",
        "rater_id is another",
    ):
        assert part in text
    with pytest.raises(MissingColumnError, match="2 more columns"):
        feedback_360(table.drop(columns=["score", "source"]))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"weights": {"boss": 1.0}}, "weights must be at least 0"),
        ({"weights": {"client": 0.0}}, "weights must be at least 0"),
        ({"low": 5.0, "high": 1.0}, "high must be a number"),
        ({"min_raters": 0}, "min_raters must be"),
    ],
)
def test_rules_outside_their_range(settings, match):
    with pytest.raises(InvalidParameterError, match=match):
        FeedbackRules(**settings)
