from __future__ import annotations

import builtins
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from clientscore.exceptions import InvalidParameterError, MissingDependencyError
from clientscore.report import portfolio
from clientscore.report._charts import HALF, scatter, stacked_bars, ticks
from clientscore.report._facts import _share_by_window, book_facts
from clientscore.report._tables import compact, figure_table

VOID = {"meta", "br", "line", "rect", "circle"}


class Checker(HTMLParser):
    """Collects tags and text, and fails on a tag that is not closed in its place."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.links = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # noqa: ARG002 -- the parser's own signature
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    checker = Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    assert checker.open == []
    return checker, " ".join(" ".join(checker.text).split())


@pytest.fixture
def book():
    rng = np.random.default_rng(0)
    n = 60
    return pd.DataFrame(
        {
            "client_id": [f"{i:05d}" for i in range(n)],
            "as_of": pd.Timestamp("2026-01-01"),
            "industry": rng.choice(["trade", "real_estate"], n),
            "size_amount": 1e6,
            "currency": "CNY",
            "pd": 0.02,
            "grade": rng.choice(["1", "2", "10", "D"], n),
            "churn_12m": rng.uniform(0, 0.4, n),
            "churn_driver_1": rng.choice(["response_hours_mean_3m", "rate_mean"], n),
            "need_probability_3m": 0.1,
            "need_probability_6m": 0.15,
            "need_probability_12m": 0.25,
            "need_amount_expected": 1000.0,
            "need_product": rng.choice(["term_loan", "leasing"], n),
            "value": rng.normal(5e4, 5e4, n),
            "tier": rng.choice(["A", "B", "C"], n),
            "watch": pd.array(rng.random(n) < 0.1, dtype="boolean"),
            "service_layer": rng.choice(["basic", "value_added"], n),
            "sla_hours": 24.0,
            "sla_decision_days": 15.0,
            "contact_cadence_days": 45.0,
            "actions": "manager_visit",
            "action_value": rng.permutation(np.arange(n) - 20.0) * 1000,
            "strategy_reason": "because <b>we</b> & they say so",
            "model_version": "m-1",
        }
    )


def test_page_is_whole_self_contained_and_escaped(book, tmp_path):
    path = tmp_path / "new" / "portfolio.html"
    assert portfolio(book, path) == path
    checker, text = read(path)
    assert checker.links == []
    assert "script" not in checker.tags
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(", page)
    assert "because <b>we</b>" not in page
    assert "because <b>we</b> & they say so" in text  # read back as text, not as markup
    assert checker.tags.count("svg") == 3
    for words in (
        "as of 2026-01-01, amounts in CNY, model m-1",
        "Call first",
        "Tiers",
        "Grades",
        "Service plan",
    ):
        assert words in text
    assert "Not evaluated in this book" not in text
    assert list(path.parent.iterdir()) == [path]


def test_head_and_tiers_add_up(book):
    facts = book_facts(book)
    head = {fact["name"]: fact["value"] for fact in facts["head"]["facts"]}
    assert head["clients"] == "60"
    assert head["total size"] == "60m"
    assert head["mean 12-month PD"] == "2.00%"
    assert head["expected financing need"] == "60k"
    assert head["expected to leave in 12 months"] == f"{book['churn_12m'].sum():,.0f}"
    counts = [int(row["cells"][0]) for row in facts["tiers"]]
    assert sum(counts[:-1]) == counts[-1] == 60
    assert [row["tier"] for row in facts["tiers"]] == ["A", "B", "C", "all"]


def test_calls_are_the_ten_with_most_to_gain(book):
    calls = book_facts(book)["calls"]
    expected = book.nlargest(10, "action_value")["client_id"].tolist()
    assert [row["client"] for row in calls] == expected
    assert calls[0]["worth"] == "39k"
    assert calls[0]["actions"] == "manager visit"
    flags = book.set_index("client_id")["watch"]
    assert [row["watch"] for row in calls] == [bool(flags[client]) for client in expected]
    lossy = book.assign(action_value=-1.0)
    assert book_facts(lossy)["calls"] is None


def test_grades_and_windows_stand_in_order(book):
    facts = book_facts(book)
    assert [name["text"] for name in facts["grades"]["names"]] == ["1", "2", "10", "D"]
    windows = [name["text"] for name in facts["need"]["chart"]["names"]]
    assert windows == ["month 1-3", "month 4-6", "month 7-12"]
    assert facts["need"]["total"] == "60k"


def test_the_need_falls_on_the_windows_as_its_probability_does(book):
    shares = _share_by_window(book)
    np.testing.assert_allclose(shares.iloc[0], [0.4, 0.2, 0.4])
    yearly = _share_by_window(book.drop(columns=["need_probability_3m", "need_probability_6m"]))
    assert yearly.columns.tolist() == ["month 1-12"]
    np.testing.assert_allclose(yearly.iloc[0], [1.0])


@pytest.mark.parametrize(
    "dropped", ["tier", "grade", "value", "need_amount_expected", "action_value", "churn_12m"]
)
def test_missing_columns_leave_a_section_out_and_say_so(book, tmp_path, dropped):
    for frame in (book.drop(columns=dropped), book.assign(**{dropped: None})):
        path = portfolio(frame, tmp_path / "page.html")
        _, text = read(path)
        assert f"Not evaluated in this book: {dropped}." in text


def test_least_and_empty_books(book, tmp_path):
    _, text = read(portfolio(pd.DataFrame({"client_id": ["1"]}), tmp_path / "a.html"))
    assert "Call first" not in text
    _, text = read(portfolio(book.iloc[:0], tmp_path / "b.html"))
    assert "0 clients" in text
    _, text = read(portfolio(book.set_index("client_id"), tmp_path / "c.html"))
    assert book.nlargest(1, "action_value")["client_id"].iloc[0] in text


def test_result_object_rates_and_figures(book, tmp_path):
    @dataclass
    class Result:
        rates: pd.DataFrame

        def frame(self):
            return book

    rates = pd.DataFrame({"rate": ["churn_12m"], "predicted": [0.1234], "n": [60]})
    figures = pd.DataFrame({"model": [0.81, np.nan]}, index=pd.Index(["auc", "gini"], name="measure"))
    _, text = read(portfolio(Result(rates), tmp_path / "p.html", figures=figures, title="Book <1>"))
    assert "Forecast rates of the book" in text
    assert "churn_12m 0.1234 60" in text
    assert "measure model auc 0.81 gini" in text
    assert text.startswith("Book <1> 2026-01-01")


def test_a_failure_leaves_the_old_page(book, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(InvalidParameterError, match="result must be an assessment or a DataFrame; got int"):
        portfolio(3, path)
    real = builtins.__import__

    def without_jinja(name, *args, **kwargs):
        if name == "jinja2":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_jinja)
    with pytest.raises(MissingDependencyError, match=r"needs jinja2.*clientscore\[report\]"):
        portfolio(book, path)
    assert path.read_text() == "old"


def test_chart_geometry():
    chart = stacked_bars(["a", "b"], {"x": [1.0, 4.0], "y": [3.0, 0.0]}, {"x": "#1", "y": "#2"}, HALF)
    bars = chart["bars"]
    assert len(bars) == 3
    assert bars[0]["height"] * 3 == pytest.approx(bars[1]["height"], abs=0.2)
    assert bars[1]["y"] == pytest.approx(bars[2]["y"], abs=0.11)  # both columns reach 4
    assert bars[0]["y"] + bars[0]["height"] == pytest.approx(chart["bottom"], abs=0.11)
    points = scatter(np.array([0.0, 0.5]), np.array([10.0, 1000.0]), ["A", "B"], {"A": "#1", "B": "#2"}, "p")
    first, second = points["points"]
    assert (first["x"], first["y"]) == (chart["left"], chart["bottom"])
    assert second["x"] <= chart["right"]
    assert second["y"] < first["y"]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 97), (0, 3e9), (0, 0), (0, 0.03)])
def test_ticks_cover_the_range_evenly(low, high):
    marks = ticks(low, high)
    assert marks[0] <= low
    assert marks[-1] >= high
    assert 3 <= len(marks) <= 8
    assert np.diff(marks) == pytest.approx(np.diff(marks)[0])


def test_numbers_as_text():
    assert [compact(x) for x in (999.6, 999_600, 0, -1.5e6, None)] == ["1k", "1m", "0", "-1.5m", "–"]
    assert figure_table(None) is None
    table = figure_table(pd.DataFrame({"a_b": [True, None], "when": pd.to_datetime(["2026-01-02", None])}))
    assert table["heads"] == ["a b", "when"]
    assert table["rows"] == [["yes", "2026-01-02"], ["–", "–"]]


@pytest.fixture
def warned(book):
    """The book with early warning and what is known of each client's leaving."""
    n = len(book)
    return book.assign(
        credit_signal_state=np.resize(["green", "amber", "red", None], n),
        attrition_signal_state=np.resize(["green", "green", "red"], n),
        alarms=np.resize(["", "dpd_days", "dpd_days, utilization"], n),
        churn_driver_2=np.resize(["complaints_sum_3m", None], n),
        churn_service_share=np.resize([0.5, -0.5], n),
        churn_lifetime_months=10.0,
    )


def test_early_warning_counts_clients_and_alarms(warned):
    facts = book_facts(warned)["warning"]
    assert [side["side"] for side in facts["sides"]] == ["credit", "attrition"]
    assert facts["sides"][0]["cells"] == ["15", "15", "15", "15"]
    assert facts["sides"][1]["cells"] == ["20", "0", "40", "0"]
    assert facts["speaking"] == "40"
    assert [(row["name"], row["clients"]) for row in facts["alarms"]] == [
        ("dpd days", "40"),
        ("utilization", "20"),
    ]


def test_without_signals_there_is_no_early_warning(book):
    assert book_facts(book)["warning"] is None


def test_a_result_names_its_alarms_in_words(warned, tmp_path):
    @dataclass
    class Result:
        table: pd.DataFrame

        def frame(self):
            return self.table

        def alarms(self):
            return pd.DataFrame({"signal": ["dpd_days"], "clients": [40], "en": ["most days past due"]})

    _, text = read(portfolio(Result(warned), tmp_path / "p.html"))
    assert "Early warning" in text
    assert "most days past due 40 66.7%" in text


def test_reasons_to_leave_stand_in_words_with_the_part_of_service(warned):
    facts = book_facts(warned)
    call = facts["calls"][0]
    row = warned.set_index("client_id").loc[call["client"]]
    first = {"response_hours_mean_3m": "hours to answer", "rate_mean": "rate"}[row["churn_driver_1"]]
    assert first in call["leaves"]
    told = (
        "50% of the risk from service" if row["churn_service_share"] > 0 else "good service lowers the risk"
    )
    assert told in call["leaves"]
    assert call["leaves"].endswith("expected to stay 10.0 months of the horizon")
    churn, share = warned["churn_12m"], warned["churn_service_share"].clip(lower=0)
    assert facts["drivers"]["service"] == f"{(churn * share).sum() / churn.sum():.1%}"
    assert facts["drivers"]["stay"] == "10.0"
