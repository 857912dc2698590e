from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import DataError, InvalidParameterError, PolicyError
from clientscore.scale import SlottingTable

TABLE = SlottingTable.default(thresholds=(80, 60, 40))


def test_the_weights_are_those_of_the_regulation():
    frame = TABLE.frame().set_index("category")
    assert frame["risk_weight"].to_dict() == {
        "strong": 0.7,
        "good": 0.9,
        "satisfactory": 1.15,
        "weak": 2.5,
        "default": 0.0,
    }
    assert frame["risk_weight_short"].tolist() == [0.5, 0.7, 1.15, 2.5, 0.0]
    assert frame["expected_loss"].tolist() == [0.004, 0.008, 0.028, 0.08, 0.5]
    assert frame["expected_loss_short"].tolist() == [0.0, 0.004, 0.028, 0.08, 0.5]


def test_a_category_holds_its_own_threshold():
    found = TABLE.slot([80, 79.9, 60, 40, 39.9, -1e9], maturity_years=10)
    assert found["category"].tolist() == ["strong", "good", "good", "satisfactory", "weak", "weak"]
    assert found["risk_weight"].tolist() == [0.7, 0.9, 0.9, 1.15, 2.5, 2.5]


def test_maturity_decides_the_weight_and_default_beats_points():
    points = pd.Series([90.0, 90.0, 90.0, np.nan, np.nan, 90.0], index=list("abcdef"))
    years = [2.49, 2.5, 1.0, 5.0, 5.0, np.nan]
    found = TABLE.slot(points, years, defaulted=[False, False, True, True, False, False])
    assert found["risk_weight"][:4].tolist() == [0.5, 0.7, 0.0, 0.0]
    assert found["expected_loss"][:4].tolist() == [0.0, 0.004, 0.5, 0.5]
    assert found.loc[["e", "f"]].isna().all().all()
    assert found.loc["c", "category"] == "default"


def test_a_table_comes_back_from_its_dict_and_from_a_file(tmp_path):
    assert SlottingTable.from_dict(TABLE.to_dict()) == TABLE
    path = tmp_path / "slots.toml"
    rows = "\n".join(
        f'[[category]]\nname = "{name}"\nrisk_weight = 1\nrisk_weight_short = 1\n'
        "expected_loss = 0.1\nexpected_loss_short = 0.1"
        for name in ("good", "weak", "default")
    )
    path.write_text(f"thresholds = [5]\n{rows}\n", encoding="utf-8")
    table = SlottingTable.from_toml(path)
    assert table.thresholds == (5,)
    assert SlottingTable.from_toml(path, thresholds=[7]).thresholds == (7,)
    assert table.slot([6], maturity_years=1)["category"].tolist() == ["good"]


def test_faults_are_all_listed(tmp_path):
    with pytest.raises(PolicyError) as caught:
        SlottingTable(("a", "a"), (1, 2), (1, -1), (1, 1), (0, 2), (0, 0.5))
    assert len(caught.value.faults) == 5
    with pytest.raises(PolicyError, match="need 3 thresholds; got 1"):
        SlottingTable.default(thresholds=[1])
    with pytest.raises(InvalidParameterError, match="short_maturity_years"):
        SlottingTable.from_dict(TABLE.to_dict() | {"short_maturity_years": 0})
    path = tmp_path / "slots.toml"
    path.write_text('colour = 1\n[[category]]\nname = "a"\n', encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        SlottingTable.from_toml(path)
    assert len(caught.value.faults) == 3
    path.write_text("= 1", encoding="utf-8")
    with pytest.raises(PolicyError, match="must be TOML"):
        SlottingTable.from_toml(path)
    with pytest.raises(DataError, match="one length; got 2, 1, 2"):
        TABLE.slot([1, 2], [1.0])
    with pytest.raises(DataError, match="maturity_years must be >= 0; 1 of 2"):
        TABLE.slot([1, 2], [1.0, -1.0])
