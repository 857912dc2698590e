from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from clientscore.additive import AdditiveCard, FeatureBins, Term
from clientscore.exceptions import InvalidParameterError
from clientscore.scale import ScoreScale


def hand_card(levels=("SME", "big")) -> AdditiveCard:
    bins = (
        FeatureBins("roa", "number", edges=(0.0, 0.5), specials=(-999.0,), missing=True),
        FeatureBins("kind", "category", levels=levels),
    )
    main = Term(("roa",), np.arange(6.0)[:, None] / 10, np.array([0.25, 0.5, 0.0, 0.125, 0.125, 0.0]))
    pair = Term(("kind", "roa"), np.arange(24.0).reshape(4, 6, 1))
    return AdditiveCard(("bad",), (-3.0,), bins, (pair, main))


def test_rows_by_hand_main_effects_before_pairs():
    sheet = hand_card().to_sheet()
    assert sheet.columns.tolist() == [
        "feature", "attribute", "from", "to", "feature_2", "attribute_2", "value", "share", "declared",
    ]  # fmt: skip
    assert sheet.loc[0, ["feature", "value"]].tolist() == ["intercept", -3.0]
    main = sheet.iloc[1:7]
    assert main["attribute"].tolist() == ["<= 0", "(0, 0.5]", "> 0.5", "code -999", "missing", "unseen"]
    assert main["from"].fillna(-1).tolist() == [-1, 0, 0.5, -999, -1, -1]
    assert main["to"].fillna(-1).tolist() == [0, 0.5, -1, -999, -1, -1]
    assert main["value"].tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert main["share"].sum() == 1
    assert main["declared"].tolist() == [False] * 5 + [True]
    pair = sheet.iloc[7:]
    assert len(pair) == 24
    assert pair.iloc[7][["feature", "attribute", "feature_2", "attribute_2", "value"]].tolist() == [
        "kind", "big", "roa", "(0, 0.5]", 7.0,
    ]  # fmt: skip


def test_points_of_the_rows_add_up_to_the_points_of_the_client():
    card, scale = hand_card(), ScoreScale()
    sheet = card.to_sheet(scale)
    used = sheet[
        (sheet["feature"] == "intercept")
        | ((sheet["feature"] == "roa") & (sheet["attribute"] == "> 0.5"))
        | ((sheet["attribute"] == "SME") & (sheet["attribute_2"] == "> 0.5"))
    ]
    assert len(used) == 3
    log_odds = card.decision_one({"roa": 0.7, "kind": "SME"})
    assert used["value"].sum() == pytest.approx(log_odds)
    assert used["points"].sum() == pytest.approx(scale.points_from_log_odds(log_odds))


def test_whole_points_of_the_rows_are_those_of_the_card_in_whole_points():
    card, scale = hand_card(), ScoreScale(pdo=33)
    sheet, whole = card.to_sheet(scale, rounded=True), card.in_points(scale, rounded=True)
    assert sheet["points"].dtype == "int64"
    assert sheet["points"].iloc[0] == whole.intercept[0]
    assert sheet["points"].iloc[1:7].tolist() == whole.terms[1].values.ravel().tolist()
    assert sheet["points"].iloc[7:].tolist() == whole.terms[0].values.ravel().tolist()
    assert card.to_sheet(scale)["points"].iloc[1:7].tolist() != sheet["points"].iloc[1:7].tolist()


@pytest.mark.parametrize(
    "risky", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\uff1d1", "\r1", '="a"']
)
def test_no_text_is_a_formula(risky):
    sheet = hand_card(levels=("SME", risky)).to_sheet()
    text = pd.read_csv(io.StringIO(sheet.to_csv(index=False)), dtype=str, keep_default_na=False)
    cells = text[["feature", "attribute", "feature_2", "attribute_2"]].to_numpy().ravel().tolist()
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@\uff1d")]
    assert f"'{risky}" in set(sheet["attribute"])
    assert "SME" in cells


def test_plain_labels_stay_as_they_are():
    assert set(hand_card(levels=("", "n/a")).to_sheet()["attribute"].dropna()) >= {
        "",
        "n/a",
        "missing",
        "unseen",
    }


def test_only_one_output_in_log_odds():
    with pytest.raises(InvalidParameterError, match="link 'identity'"):
        AdditiveCard(("amount",), (0.0,), (), (), "identity").to_sheet()
