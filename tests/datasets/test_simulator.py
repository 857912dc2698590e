"""The simulated book: facts, time order, determinism."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore.datasets import SIMULATOR_VERSION, Portfolio, load_sample, make_portfolio, write_portfolio
from clientscore.exceptions import DataNotFoundError, InvalidParameterError
from clientscore.labels import build_labels, churn_target, need_target, silent_spells
from clientscore.schema import ClientSchema, conform_tables, validate_clients

FINAL = ("closure", "default", "repayment", "bank_exit")


@pytest.fixture(scope="module")
def book() -> Portfolio:
    return make_portfolio(4000, 72, 1, cycle=False)


@pytest.fixture(scope="module")
def finals(book: Portfolio) -> pd.DataFrame:
    events = book.tables["events"]
    return events[events["event"].isin(FINAL)]


@pytest.fixture(scope="module")
def labels(book: Portfolio) -> pd.DataFrame:
    dates = ["2022-01-01", "2023-01-01", "2024-01-01"]
    return build_labels(book.tables, ClientSchema.default(), dates)


def test_final_events_come_at_the_cited_rates(book: Portfolio, finals: pd.DataFrame) -> None:
    years = len(book.tables["interactions"]) / 12
    rate = finals["event"].value_counts() / years
    assert rate["closure"] == pytest.approx(0.105, abs=0.008)
    assert rate["default"] == pytest.approx(0.018, abs=0.004)
    assert 0.005 < rate["repayment"] < 0.02
    assert 0.002 < rate["bank_exit"] < 0.01


def test_defaults_lie_between_one_and_three_percent_in_every_large_sector(
    book: Portfolio, finals: pd.DataFrame
) -> None:
    sector = book.tables["clients"].set_index("client_id")["industry"]
    years = book.tables["interactions"]["client_id"].map(sector).value_counts() / 12
    rate = finals.loc[finals["event"] == "default", "client_id"].map(sector).value_counts() / years
    large = years > 1200  # 3 standard errors of a rate of .018 are about a percent there
    assert large.sum() >= 6
    assert rate[large].between(0.008, 0.032).all()


def test_silent_attrition_is_about_twice_hard(labels: pd.DataFrame) -> None:
    shares = churn_target(labels)["event"].value_counts(normalize=True)
    assert 1.6 < shares["silent_attrition"] / shares["hard_attrition"] < 2.4


def test_a_quarter_of_the_clients_needs_money_and_amounts_are_lognormal(labels: pd.DataFrame) -> None:
    need = need_target(labels)
    assert need["event"].eq("need").mean() == pytest.approx(0.24, abs=0.025)
    logs = np.log(need["amount"].dropna())
    assert abs(logs.skew()) < 1.0  # segments of different size stretch it to the right
    assert need.loc[need["event"].eq("need"), "product"].notna().all()


def test_every_silent_spell_has_a_fall_of_balances_behind_it(book: Portfolio) -> None:
    spells = silent_spells(book.tables["interactions"])
    rates = book.truth.hazards()
    fallen = pd.MultiIndex.from_frame(rates.loc[rates["silent_attrition"] == 0, ["client_id", "month"]])
    explained = np.zeros(len(spells), dtype=bool)
    for back in range(1, 9):
        month = spells["start"] - pd.DateOffset(months=back)
        explained |= pd.MultiIndex.from_arrays([spells["client_id"], month]).isin(fallen)
    client_years = len(book.tables["interactions"]) / 12
    assert len(spells) / client_years > 0.08
    assert (~explained).sum() / client_years < 0.01


def test_rates_do_not_drift_without_a_cycle(book: Portfolio, finals: pd.DataFrame) -> None:
    months = book.tables["interactions"]["month"].dt.year.value_counts().sort_index() / 12
    left = finals.loc[finals["event"] == "closure", "date"].dt.year.value_counts().sort_index()
    rate = left / months
    assert rate.iloc[:3].mean() == pytest.approx(rate.iloc[3:].mean(), rel=0.15)


def test_leaving_is_driven_by_service_more_than_by_price(book: Portfolio) -> None:
    variance = book.truth.service_variance()
    assert (variance.loc["price"] / variance.sum() < 0.2).all()
    effects = book.truth.service_effects
    assert (effects[["hard_attrition", "silent_attrition"]] > 0).all(axis=None)


def test_slow_service_shows_in_the_tables_before_a_closure(book: Portfolio, finals: pd.DataFrame) -> None:
    hours = book.tables["interactions"].groupby("client_id")["response_hours"].mean()
    segment = book.tables["clients"].set_index("client_id")["segment"]
    closed = hours.index.isin(finals.loc[finals["event"] == "closure", "client_id"])
    small = segment.reindex(hours.index) == "small"
    assert hours[closed & small].mean() > 1.15 * hours[~closed & small].mean()


def test_surveys_say_what_the_facts_say(book: Portfolio) -> None:
    surveys = book.tables["surveys"]
    assert surveys["wants_reports"].mean() == pytest.approx(0.70, abs=0.03)
    assert surveys["approval_satisfaction"].le(5).mean() == pytest.approx(0.65, abs=0.04)
    planned = surveys[surveys["answered_at"] < "2025-01-01"].dropna(subset=["planned_financing_amount"])
    events = book.tables["events"]
    draws = events.loc[events["event"] == "drawing", ["client_id", "date"]]
    after = planned.merge(draws, on="client_id", how="left")
    days = (after["date"] - after["answered_at"]).dt.days
    after["drew"] = days.between(1, 365)
    drew = after.groupby(["client_id", "answered_at"])["drew"].any()
    plans = planned.set_index(["client_id", "answered_at"])["planned_financing_amount"] > 0
    assert drew[plans].mean() > 1.4 * drew[~plans].mean()


def test_every_table_fits_the_default_schema() -> None:
    tables = make_portfolio(300, 36, 5).tables
    schema = ClientSchema.default()
    for name, table in conform_tables(tables, schema).items():
        pd.testing.assert_frame_equal(table, tables[name])
    assert validate_clients(tables, schema).rejects.empty


def test_statements_are_published_late_gappy_and_restated(book: Portfolio) -> None:
    statements = book.tables["statements"]
    lag = (statements["published_at"] - statements["period_end"]).dt.days
    assert lag.min() >= 60
    first = statements.sort_values("published_at").groupby(["client_id", "period_end"]).head(1)
    first_lag = (first["published_at"] - first["period_end"]).dt.days.dropna()
    assert first_lag.le(150).mean() == pytest.approx(0.95, abs=0.02)
    assert 0.04 < statements["published_at"].isna().mean() < 0.10
    versions = statements.groupby(["client_id", "period_end"]).size()
    assert 0.01 < (versions > 1).mean() < 0.05
    assert 0.005 < statements["inventory"].isna().mean() < 0.03
    assert statements["revenue"].notna().all()
    months = statements.groupby("client_id")["period_months"].first()
    segment = book.tables["clients"].set_index("client_id")["segment"].reindex(months.index)
    assert months.groupby(segment).agg(["min", "max"]).loc["small"].tolist() == [12, 12]
    assert months.groupby(segment).agg(["min", "max"]).loc["large"].tolist() == [3, 3]


def test_both_sides_of_the_balance_sheet_add_up(book: Portfolio) -> None:
    full = book.tables["statements"].dropna()
    gap = full["total_assets"] - full["total_liabilities"] - full["equity"]
    assert (gap.abs() / full["total_assets"]).max() < 1e-6
    parts = full["cash"] + full["receivables"] + full["inventory"]
    assert (parts <= full["current_assets"] * (1 + 1e-6)).all()
    assert (full["current_assets"] + full["fixed_assets"] <= full["total_assets"] + 2).all()


def test_nothing_is_known_after_the_end_and_no_row_follows_an_exit(
    book: Portfolio, finals: pd.DataFrame
) -> None:
    end = pd.Timestamp("2026-01-01")
    tables = book.tables
    assert tables["events"]["date"].max() < end
    assert tables["statements"]["published_at"].max() <= end
    assert finals["client_id"].is_unique
    left = finals.set_index("client_id")["date"]
    dated = {"interactions": "month", "facilities": "month", "projects": "month", "surveys": "answered_at"}
    for name, column in {**dated, "statements": "published_at", "events": "date"}.items():
        rows = tables[name][["client_id", column]].join(left.rename("left"), on="client_id")
        assert not (rows[column] > rows["left"]).any(), name
    starts = tables["clients"].set_index("client_id")["relationship_start"]
    first = tables["interactions"].groupby("client_id")["month"].min()
    assert (starts[first.index].dt.to_period("M") <= first.dt.to_period("M")).all()


def test_the_book_keeps_its_size(book: Portfolio) -> None:
    present = book.tables["interactions"].groupby("month")["client_id"].nunique()
    assert present.between(0.97 * 4000, 4000).all()
    newcomers = (book.tables["clients"]["relationship_start"] >= "2020-01-01").mean()
    assert 0.3 < newcomers < 0.6


def test_drawings_raise_debt_and_carry_product_and_purpose(book: Portfolio) -> None:
    events = book.tables["events"]
    draws = events[events["event"] == "drawing"]
    assert draws[["amount", "product", "purpose"]].notna().all(axis=None)
    assert (draws["amount"] > 0).all()
    industry = book.tables["clients"].set_index("client_id")["industry"]
    share = pd.crosstab(draws["client_id"].map(industry), draws["product"], normalize="index")
    assert share.loc["technology", "ip_pledge_loan"] > 0.2
    assert share.loc["manufacturing", "ip_pledge_loan"] == 0
    assert share.loc["energy", ["project_loan", "green_loan"]].sum() > 0.2


def test_a_few_clients_are_projects_with_phases_in_order(book: Portfolio) -> None:
    projects = book.tables["projects"]
    assert 0.01 < projects["client_id"].nunique() / len(book.tables["clients"]) < 0.06
    rank = projects["phase"].map({"pre_construction": 0, "construction": 1, "operation": 2})
    assert (rank.groupby(projects["project_id"]).diff().dropna() >= 0).all()
    assert set(projects["phase"]) == {"pre_construction", "construction", "operation"}


def test_the_market_stands_still_without_a_cycle_and_moves_with_it(book: Portfolio) -> None:
    columns = ["sector_growth", "policy_rate", "credit_rate", "spread", "sector_default_rate"]
    still = book.tables["market"].groupby("sector")[columns].nunique()
    assert (still == 1).all(axis=None)
    moving = make_portfolio(30, 36, 0).tables["market"].groupby("sector")["sector_growth"].nunique()
    assert (moving > 30).all()


def test_the_same_seed_gives_the_same_tables_and_another_one_others() -> None:
    first, again, other = make_portfolio(60, 26, 7), make_portfolio(60, 26, 7), make_portfolio(60, 26, 8)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name], check_exact=True)
    assert not first.tables["events"].equals(other.tables["events"])


def test_a_seed_of_none_differs_each_time() -> None:
    one, two = make_portfolio(20, 6, None), make_portfolio(20, 6, None)
    assert not one.tables["interactions"].equals(two.tables["interactions"])


@pytest.mark.parametrize("n_clients", [1, 3])
def test_a_tiny_book_has_all_tables_with_all_columns(n_clients: int) -> None:
    tables = make_portfolio(n_clients, 2, 0).tables
    large = make_portfolio(200, 14, 0).tables
    for name, table in tables.items():
        assert list(table.columns) == list(large[name].columns), name
        assert table.dtypes.astype(str).tolist() == large[name].dtypes.astype(str).tolist(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_clients": 0}, "n_clients must be a whole number of at least 1; got 0"),
        ({"n_months": 1.5}, "n_months must be a whole number"),
        ({"random_state": -1}, "random_state must be a whole number of at least 0; got -1"),
        ({"start": "2020-01-15"}, 'start must be the first day of a month, such as "2020-01-01"; got'),
    ],
)
def test_arguments_outside_their_range_say_so(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        make_portfolio(**arguments)


def test_a_written_book_reads_back_the_same_and_writes_the_same_bytes(tmp_path) -> None:
    book = make_portfolio(40, 14, 3)
    files = write_portfolio(book, tmp_path / "a")
    write_portfolio(book, tmp_path / "b")
    for name, table in load_sample(tmp_path / "a").items():
        pd.testing.assert_frame_equal(table, book.tables[name], check_exact=True)
    assert [file.stem for file in files] == list(book.tables)
    assert all(file.read_bytes() == (tmp_path / "b" / file.name).read_bytes() for file in files)


def test_a_missing_sample_names_the_remedy(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CLIENTSCORE_SAMPLES", str(tmp_path))
    with pytest.raises(DataNotFoundError, match="Set CLIENTSCORE_SAMPLES to the folder, or write one"):
        load_sample()


def test_the_sample_is_what_the_simulator_makes_today(monkeypatch) -> None:
    monkeypatch.delenv("CLIENTSCORE_SAMPLES", raising=False)
    assert SIMULATOR_VERSION == 1
    sample, made = load_sample(), make_portfolio(1200, 72, 0).tables
    assert set(sample) == set(made)
    for name, table in made.items():
        # A cent apart is the last bit of a logarithm on another processor.
        pd.testing.assert_frame_equal(sample[name], table, rtol=1e-9, atol=0.011)
