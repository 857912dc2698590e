"""The report on card and trees: one shape for score and need."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from clientscore.metrics import PairedReport


@dataclass(frozen=True)
class Gap:
    measure: str
    card: float
    trees: float
    difference: float


@dataclass(frozen=True, repr=False)
class Report(PairedReport):
    comparison_kind = Gap
    rows: int
    comparisons: tuple[Gap, ...]

    @property
    def headline(self) -> str:
        return f"{self.rows} rows"


REPORT = Report(3, (Gap("log_loss", 0.25, 0.125, 0.125), Gap("brier", 0.5, 0.5, 0.0)))


def test_a_row_a_measure() -> None:
    frame = REPORT.frame()
    assert frame.index.tolist() == ["log_loss", "brier"]
    assert frame["difference"].tolist() == [0.125, 0.0]


def test_plain_data_and_back() -> None:
    state = REPORT.to_dict()
    assert state["comparisons"][0] == {
        "measure": "log_loss",
        "card": 0.25,
        "trees": 0.125,
        "difference": 0.125,
    }
    assert Report.from_dict(state) == REPORT


@pytest.mark.parametrize("shown", [repr(REPORT), REPORT._repr_html_()])
def test_what_is_shown_has_headline_and_figures(shown: str) -> None:
    assert "3 rows" in shown
    assert "0.125" in shown
