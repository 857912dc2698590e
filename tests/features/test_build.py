from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.catalogue import feature_columns
from clientscore.exceptions import ClientScoreError, DataError, MissingColumnError
from clientscore.features import build_context, build_features, build_reference
from clientscore.schema import ClientSchema
from clientscore.timeline import known_at

from_2024 = st.dates(pd.Timestamp("2024-01-01").date(), pd.Timestamp("2025-12-31").date())
# What each table alone brings to life.
OF_TABLE = {
    "statements": "current_ratio",
    "facilities": "utilization",
    "market": "sector_growth",
    "market_values": "market_value_log",
    "interactions": "balance_change_3m",
    "surveys": "satisfaction",
    "projects": "project_dscr",
    "events": "drawings_count_12m",
}


def part_of(tables, ids):
    return {
        name: frame if name == "market" else frame[frame["client_id"].isin(ids)]
        for name, frame in tables.items()
    }


def test_layout_never_depends_on_the_data(schema, make_book):
    whole = make_book(1)
    columns = list(feature_columns())
    for tables in (
        whole,
        {"clients": whole["clients"]},
        {name: frame.iloc[:0] for name, frame in whole.items()},
    ):
        X = build_features(tables, schema, "2025-04-01")
        assert list(X.columns) == columns
        assert (X.dtypes == np.float64).all()
        assert X.index.name == "client_id"


def test_every_feature_lives_in_a_full_book(schema, make_book):
    X = build_features(make_book(1, n_clients=30), schema, ["2025-04-01", "2025-07-01"])
    assert [name for name in X if X[name].isna().all()] == []
    assert not np.isinf(X.to_numpy()).any()
    ranks = X.filter(like="_rank")
    assert ranks.min().min() >= 0
    assert ranks.max().max() <= 1


def test_scalar_and_list_differ_only_in_the_index(schema, make_book):
    tables = make_book(2)
    one, many = build_features(tables, schema, "2025-04-01"), build_features(tables, schema, ["2025-04-01"])
    assert many.index.names == ["client_id", "as_of"]
    pd.testing.assert_frame_equal(one, many.droplevel("as_of"))


def test_a_date_gives_the_same_alone_and_among_others(schema, make_book):
    tables = make_book(2)
    dates = ["2024-05-17", "2025-07-01", "2025-01-01"]
    together = build_features(tables, schema, dates)
    for date in dates:
        alone = build_features(tables, schema, date)
        pd.testing.assert_frame_equal(alone, together.xs(date, level="as_of"))


@pytest.mark.parametrize("table", OF_TABLE)
def test_an_absent_or_empty_table_takes_its_own_features_only(schema, make_book, table):
    tables = make_book(1)
    full = build_features(tables, schema, "2025-04-01")
    assert full[OF_TABLE[table]].notna().any()
    without = {name: frame for name, frame in tables.items() if name != table}
    less = build_features(without, schema, "2025-04-01")
    assert less[OF_TABLE[table]].isna().all()
    other = next(feature for name, feature in OF_TABLE.items() if name not in (table, "events"))
    common = less.index.intersection(full.index)
    pd.testing.assert_series_equal(less.loc[common, other], full.loc[common, other])
    empty = build_features(tables | {table: tables[table].iloc[:0]}, schema, "2025-04-01")
    # An empty table says that nothing is there; an absent one says nothing.
    counts = ["facilities_count", "drawings_count_12m", "drawings_amount_12m_to_limit"]
    pd.testing.assert_frame_equal(empty.drop(columns=counts), less.drop(columns=counts))


def test_an_empty_book_gives_an_empty_table(schema, make_book):
    tables = {name: frame.iloc[:0] for name, frame in make_book(1).items()}
    assert build_features(tables, schema, "2025-04-01").shape == (0, len(feature_columns()))
    assert build_features(tables, schema, ["2025-04-01", "2025-05-01"]).shape == (0, len(feature_columns()))
    assert len(build_context(tables, schema, "2025-04-01")) == 0


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 5), as_of=from_2024)
def test_any_chunk_has_the_features_it_has_inside_the_book(make_book, seed, size, as_of):
    schema, tables = ClientSchema.default(), make_book(seed)
    reference = build_reference(tables, schema, as_of)
    whole = build_features(tables, schema, as_of, reference=reference)
    ids = tables["clients"]["client_id"].tolist()
    chunks = [
        build_features(part_of(tables, ids[start : start + size]), schema, as_of, reference=reference)
        for start in range(0, len(ids), size)
    ]
    pd.testing.assert_frame_equal(pd.concat(chunks), whole, check_exact=True)


def future(rng, tables, schema, as_of):
    """Delete, change and add rows that are not yet known at `as_of`; return how many were touched."""
    touched = 0
    out = {}
    for name, frame in tables.items():
        later = known_at(name, frame, schema.publication_lag_days) > pd.Timestamp(as_of)
        if name == "clients":
            later_version = frame.assign(
                industry="public", valid_from=pd.Timestamp(as_of) + pd.Timedelta("1D")
            )
            out[name] = pd.concat([frame.assign(valid_from=pd.NaT), later_version], ignore_index=True)
            continue
        known, unknown = frame[~later], frame[later]
        touched += len(unknown)
        kept = unknown[rng.random(len(unknown)) < 0.6].copy()
        for column in kept.select_dtypes("number").columns:
            kept[column] = kept[column] * rng.normal(1, 5, len(kept)) + 1e6
        added = unknown.sample(frac=0.5, random_state=int(rng.integers(1000)))
        if "client_id" in added:
            added = added.assign(client_id=rng.permutation(added["client_id"].to_numpy()))
        out[name] = pd.concat([kept, known, added]).sample(frac=1.0, random_state=0).sort_index(kind="stable")
    return out, touched


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10_000), as_of=from_2024)
def test_no_row_unknown_at_as_of_changes_any_feature(make_book, seed, as_of):
    schema, tables = ClientSchema.default(), make_book(seed)
    changed, touched = future(np.random.default_rng(seed), tables, schema, as_of)
    assert touched > 0
    for build in (build_features, build_context):
        pd.testing.assert_frame_equal(
            build(changed, schema, as_of), build(tables, schema, as_of), check_exact=True
        )


def test_a_known_row_does_change_features(schema, make_book):
    """The wall test above must be able to fail: touching what is known shows."""
    tables = make_book(7)
    before = build_features(tables, schema, "2025-04-01")
    for name, feature in OF_TABLE.items():
        known = known_at(name, tables[name], 120) <= pd.Timestamp("2025-04-01")
        after = build_features(tables | {name: tables[name][~known]}, schema, "2025-04-01")
        common = after.index.intersection(before.index)
        assert not after.loc[common, feature].equals(before.loc[common, feature]), name


def test_include_adds_prospects_that_rank_but_do_not_count_as_population(schema):
    clients = pd.DataFrame(
        {
            "client_id": ["a", "b", "p"],
            "relationship_start": pd.to_datetime(["2020-01-01", "2020-01-01", "2027-01-01"]),
        }
    )
    statements = pd.DataFrame(
        {
            "client_id": ["a", "b", "p"],
            "period_end": pd.Timestamp("2024-12-31"),
            "total_assets": 100.0,
            "net_income": [1.0, 3.0, 2.0],
        }
    )
    tables = {"clients": clients, "statements": statements}
    alone = build_features(tables, schema, "2026-01-01")
    added = build_features(tables, schema, "2026-01-01", include=(name for name in ["p", "a"]))
    assert alone.index.tolist() == ["a", "b"]
    assert added.index.tolist() == ["a", "b", "p"]
    pd.testing.assert_frame_equal(added.loc[["a", "b"]], alone)
    assert added.loc["p", "roa_rank"] == pytest.approx(0.5)
    assert np.isnan(added.loc["p", "tenure_months"])
    dates = ["2025-12-01", "2026-01-01"]
    assert len(build_context(tables, schema, dates, include=iter(["p"]))) == 6


def test_an_unknown_prospect_is_named(schema, make_book):
    with pytest.raises(DataError, match=r"include names 1 ids that are not in the table 'clients'.*nobody"):
        build_features(make_book(1), schema, "2025-04-01", include=["nobody"])


@pytest.mark.parametrize(("table", "column"), [("statements", "revenue"), ("facilities", "limit_amount")])
def test_infinity_is_an_error_not_a_number(schema, make_book, table, column):
    tables = make_book(1)
    tables[table].loc[3, column] = np.inf
    with pytest.raises(ClientScoreError, match=f"{column}.*inf"):
        build_features(tables, schema, "2025-04-01")


def test_text_in_a_number_is_an_error(schema, make_book):
    tables = make_book(1)
    tables["statements"]["revenue"] = tables["statements"]["revenue"].astype(object)
    tables["statements"].loc[3, "revenue"] = "a lot"
    with pytest.raises(ClientScoreError, match=r"(?s)revenue.*a lot"):
        build_features(tables, schema, "2025-04-01")


def test_a_missing_required_column_is_named_with_its_nearest(schema, make_book):
    tables = make_book(1)
    tables["statements"] = tables["statements"].rename(columns={"period_end": "periodend_x"})
    with pytest.raises(MissingColumnError, match=r"(?s)'period_end' is missing\. Did you mean 'periodend_x'"):
        build_features(tables, schema, "2025-04-01")


def test_repeated_clients_are_an_error(schema, make_book):
    tables = make_book(1)
    tables["clients"] = pd.concat([tables["clients"], tables["clients"].iloc[:1]])
    with pytest.raises(DataError, match=r"client_id must be unique.*1 ids are repeated: 'C000'"):
        build_features(tables, schema, "2025-04-01")


def test_records_of_strangers_are_left_out(schema, make_book):
    tables = make_book(1)
    fewer = tables | {"clients": tables["clients"].iloc[1:]}
    left = build_features(
        fewer, schema, "2025-04-01", reference=build_reference(tables, schema, "2025-04-01")
    )
    whole = build_features(tables, schema, "2025-04-01")
    pd.testing.assert_frame_equal(left, whole.drop(index="C000"))
