from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clientscore.exceptions import DataError, InvalidParameterError, MissingColumnError, PolicyError
from clientscore.tiering import TierPolicy


def book(**columns):
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"size_amount": [0.0] * n, "pd": [0.01] * n, "value": [0.0] * n} | columns)
    return frame.set_index(pd.Index([f"{i:05d}" for i in range(n)], name="client_id"))


def runs(*tiers, client="00000"):
    dates = pd.date_range("2025-01-01", periods=len(tiers), freq="MS")
    return pd.DataFrame({"client_id": client, "as_of": dates, "tier": list(tiers)})


@pytest.fixture(scope="module")
def random_book():
    rng = np.random.default_rng(0)
    return book(
        size_amount=rng.lognormal(18, 1.5, 2000),
        pd=rng.beta(1, 30, 2000),
        value=rng.normal(1e5, 3e5, 2000),
    )


def test_score_and_cut_offs_by_hand():
    frame = book(value=[1_000_000.0, 1_999_999.0, 250_000.0, 100.0], size_amount=[2e9, 0.0, 1e8, 0.0])
    result = TierPolicy.default().assign(frame)
    assert TierPolicy.default().score(frame).tolist() == [2e6, 1_999_999.0, 3e5, 100.0]
    assert result["tier"].tolist() == ["A", "B", "B", "C"]
    assert result["tier_reason"].iloc[0] == (
        "score 2,000,000 = value 1,000,000 + 0.0005 x size 2,000,000,000, at least 2,000,000 for A"
    )
    assert result["tier_reason"].iloc[3].endswith("below 300,000 for B")


def test_pd_gate_lowers_the_tier_and_says_so():
    frame = book(value=[5e6] * 4, pd=[0.03, 0.031, 0.08, 0.081])
    result = TierPolicy.default().assign(frame)
    assert result["tier"].tolist() == ["A", "B", "B", "C"]
    assert result["tier_reason"].iloc[1].endswith("but PD 3.1% above the 3.0% gate of A")
    assert result["tier_reason"].iloc[3].endswith("but PD 8.1% above the 8.0% gate of B")


def test_missing_input_is_not_evaluated_never_c():
    frame = book(
        value=[5e6, np.nan, 5e6, 1.0], pd=[np.nan, np.nan, 0.01, 0.01], size_amount=[1, 1, np.nan, 1]
    )
    result = TierPolicy.default().assign(frame)
    assert result["tier"].isna().tolist() == [True, True, True, False]
    assert result["tier_reason"].tolist()[:3] == [
        "not evaluated: pd missing",
        "not evaluated: pd, value missing",
        "not evaluated: size_amount missing",
    ]
    assert result["watch"].isna().tolist() == [True, True, False, False]


def test_watch_overlay_leaves_the_tier():
    frame = book(value=[5e6] * 5, pd=[0.01, 0.01, 0.1, 0.01, np.nan])
    frame["dpd_days"] = [30, 29, np.nan, 0, 45]
    frame["grade"] = ["1", "2", "7", "D", None]
    result = TierPolicy.default().assign(frame)
    assert result["watch"].tolist() == [True, False, True, True, True]
    assert result["tier"].tolist()[:2] == ["A", "A"]


@pytest.mark.parametrize(
    ("score", "history", "expected", "why"),
    [
        (1.9e6, ("A", "A"), "A", "inside the 10% buffer"),  # below the line, inside the buffer
        (1.7e6, ("A", "A"), "B", None),  # clearly below
        (2.1e6, ("B", "B"), "B", "inside the 10% buffer"),  # above the line, inside the buffer
        (2.3e6, ("B", "B"), "A", None),  # clearly above
        (2.3e6, ("A", "B"), "B", "moved within 2 runs"),  # clearly above, but it moved last time
        (1.7e6, ("B", "A"), "A", "moved within 2 runs"),
        (9e6, ("C", "C"), "A", None),  # two tiers at once
        (2.3e6, ("B",), "A", None),  # one run known
        (2.1e6, ("A", "C", "B", "B"), "B", "inside the 10% buffer"),  # only the last two runs count
    ],
)
def test_hysteresis(score, history, expected, why):
    result = TierPolicy.default().assign(book(value=[score]), previous=runs(*history)).iloc[0]
    assert result["tier"] == expected
    assert (why is None) == ("held" not in result["tier_reason"])
    assert why is None or result["tier_reason"].endswith(f"; held at {expected}: {why}")


def test_credit_acts_at_once_and_returns_with_a_buffer():
    policy = TierPolicy.default()
    frame = book(value=[5e6], pd=[0.05])
    assert policy.assign(frame, previous=runs("B", "A"))["tier"].iloc[0] == "B"
    assert policy.assign(frame.assign(pd=0.029), previous=runs("B", "B"))["tier"].iloc[0] == "B"
    assert policy.assign(frame.assign(pd=0.026), previous=runs("B", "B"))["tier"].iloc[0] == "A"


def test_runs_of_the_same_day_and_missing_tiers_do_not_count():
    frame = book(value=[2.1e6]).assign(as_of=pd.Timestamp("2025-02-01"))
    assert TierPolicy.default().assign(frame, previous=runs(None, "B"))["tier"].iloc[0] == "A"


@settings(deadline=None, max_examples=30)
@given(level=st.floats(2.0e5, 3e6), noise=st.lists(st.floats(-0.045, 0.045), min_size=6, max_size=6))
def test_a_client_that_wobbles_inside_the_buffer_moves_at_most_once(level, noise):
    policy = TierPolicy.default()
    history = runs(policy.assign(book(value=[level]))["tier"].iloc[0])
    for step, shift in enumerate(noise):
        result = policy.assign(book(value=[level * (1 + shift)]), previous=history)
        row = history.tail(1).assign(as_of=pd.Timestamp("2026-01-01") + pd.Timedelta(days=step))
        history = pd.concat([history, row.assign(tier=result["tier"].iloc[0])])
    assert (history["tier"] != history["tier"].shift()).sum() - 1 <= 1


def test_overrides_apply_until_they_expire():
    overrides = pd.DataFrame(
        {
            "client_id": ["00000", "00001", "00002", "00002"],
            "tier": ["A", "A", "B", "A"],
            "reason": ["group sponsor", "pilot", "old", "new"],
            "owner": "head of desk",
            "expires": ["2026-06-30", "2025-12-31", "2025-01-01", "2026-01-01"],
        }
    )
    frame = book(value=[1.0, 1.0, np.nan, 1.0])
    result = TierPolicy.default().assign(frame, overrides=overrides, as_of="2026-01-01")
    assert result["tier"].tolist() == ["A", "C", "A", "C"]
    assert result["override"].tolist()[:3] == [
        "A by head of desk: group sponsor, until 2026-06-30",
        "expired 2025-12-31, not applied (A by head of desk: pilot)",
        "A by head of desk: new, until 2026-01-01",
    ]
    assert result["override"].isna().tolist() == [False, False, False, True]


def test_faulty_overrides_are_all_named():
    overrides = pd.DataFrame(
        {
            "client_id": ["1", "2", "3", "3"],
            "tier": ["AA", "B", "A", "B"],
            "reason": ["x", " ", "x", "x"],
            "owner": ["x", "x", None, "x"],
            "expires": ["2027-01-01", "soon", "2027-01-01", "2027-02-01"],
        }
    )
    with pytest.raises(DataError, match="overrides has 5 faults") as error:
        TierPolicy.default().assign(book(value=[1.0]), overrides=overrides, as_of="2026-01-01")
    text = str(error.value)
    for part in (
        "client 1: tier",
        "client 2: reason",
        "client 3: owner",
        "client 2: expires",
        "client 3: two",
    ):
        assert part in text
    with pytest.raises(InvalidParameterError, match="as_of must be given with overrides"):
        TierPolicy.default().assign(book(value=[1.0]), overrides=overrides)


def test_fitted_cut_offs_split_the_book_and_hold_for_one_client(random_book):
    policy = TierPolicy(pd_gates={}).fit_cutoffs(random_book, {"A": 0.15, "B": 0.35})
    tiers = policy.assign(random_book)["tier"]
    assert tiers.value_counts().to_dict() == {"C": 1000, "B": 700, "A": 300}
    for client in random_book.index[:20]:
        assert policy.assign(random_book.loc[[client]])["tier"].iloc[0] == tiers[client]


def test_any_chunking_gives_the_same_tiers(random_book):
    policy = TierPolicy.default()
    previous = pd.concat([runs("A", "B", client=c) for c in random_book.index[:500]])
    whole = policy.assign(random_book, previous)
    parts = [policy.assign(random_book.iloc[i : i + 300], previous) for i in range(0, 2000, 300)]
    pd.testing.assert_frame_equal(pd.concat(parts), whole)


def test_index_forms(random_book):
    policy = TierPolicy.default()
    expected = policy.assign(random_book)["tier"].tolist()
    assert policy.assign(random_book.reset_index())["tier"].tolist() == expected
    dated = random_book.assign(as_of=pd.Timestamp("2026-01-01")).set_index("as_of", append=True)
    result = policy.assign(dated, previous=runs("A", "A"))
    assert result.index.equals(dated.index)
    two_days = pd.concat([dated, dated.rename({pd.Timestamp("2026-01-01"): pd.Timestamp("2026-02-01")})])
    assert len(policy.assign(two_days)) == 4000
    with pytest.raises(DataError, match="one as_of at a time; got 2"):
        policy.assign(two_days, previous=runs("A", "A"))


def test_empty_book_has_all_columns():
    result = TierPolicy.default().assign(book(value=[1.0]).iloc[:0], previous=runs("A"))
    assert list(result.columns) == ["tier", "watch", "tier_reason", "override"]
    assert len(result) == 0


def test_need_rate_counts_known_needs():
    frame = book(value=[1e5, 1e5]).assign(need_amount_expected=[1e7, np.nan])
    result = TierPolicy(need_rate=0.02).assign(frame)
    assert result["tier"].tolist() == ["B", "C"]
    assert "+ need 200,000" in result["tier_reason"].iloc[0]


def test_bad_input_is_named():
    policy = TierPolicy.default()
    with pytest.raises(MissingColumnError, match=r"'size_amount' is missing\. Did you mean 'size_amont'"):
        policy.assign(pd.DataFrame({"size_amont": [1.0], "pd": [0.1], "value": [1.0]}))
    with pytest.raises(DataError, match="value must hold numbers"):
        policy.assign(book(value=["high"]))
    with pytest.raises(DataError, match="previous must hold tiers A, B, C; got Z"):
        policy.assign(book(value=[1.0]), previous=runs("Z"))
    with pytest.raises(DataError, match="more different scores than cut-offs; got 1"):
        policy.fit_cutoffs(book(value=[1.0, 1.0]))
    with pytest.raises(InvalidParameterError, match="shares must name A, B"):
        policy.fit_cutoffs(book(value=[1.0]), {"A": 0.5, "C": 0.2})
    with pytest.raises(PolicyError, match="6 faults") as error:
        TierPolicy(cutoffs={"A": 1.0, "B": 2.0}, otherwise="A", pd_gates={"a": 2.0}, buffer=-1, periods=0)
    for part in ("Swap them?", "otherwise", "'a' is not a tier", "pd_gates.a", "buffer", "periods"):
        assert part in str(error.value)


def test_round_trips(tmp_path):
    policy = TierPolicy(cutoffs={"gold": 5.0, "core": 1.0}, pd_gates={"gold": 0.1}, otherwise="rest")
    assert TierPolicy.from_dict(policy.to_dict()) == policy
    sorted_json = json.loads(json.dumps(policy.to_state(), sort_keys=True))
    assert TierPolicy.from_state(sorted_json) == policy
    assert TierPolicy.from_state(sorted_json).tiers == ("gold", "core", "rest")
    path = tmp_path / "policy.toml"
    path.write_text("[tiers]\nbuffer = 0.2\n[tiers.cutoffs]\ngold = 5.0\ncore = 1.0\n[tiers.pd_gates]\n")
    assert TierPolicy.from_toml(path).tiers == ("gold", "core", "C")
    path.write_text("[tiers]\nbufer = 0.2\n")
    with pytest.raises(PolicyError, match="Did you mean 'buffer'"):
        TierPolicy.from_toml(path)
    path.write_text("tiers = [")
    with pytest.raises(PolicyError, match="must be a TOML file"):
        TierPolicy.from_toml(path)


@pytest.mark.parametrize("policy", [TierPolicy.default(), TierPolicy(need_rate=0.02, periods=3)])
def test_one_client_gets_the_tier_of_the_book(policy):
    rng = np.random.default_rng(1)
    n = 400
    frame = book(
        size_amount=rng.lognormal(19, 1.5, n),
        pd=rng.beta(1, 20, n),
        value=rng.normal(3e5, 1e6, n),
        need_amount_expected=rng.lognormal(14, 1, n),
        dpd_days=rng.poisson(8, n) * 3.0,
        grade=pd.Series(rng.choice(["R3", "D", None], n), dtype="str").to_numpy(),
    )
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    dates = pd.to_datetime(["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01", "2026-04-01"])
    past = pd.DataFrame([(c, d) for c in frame.index[:300] for d in dates], columns=["client_id", "as_of"])
    past["tier"] = rng.choice(["A", "B", "C", None], len(past), p=[0.2, 0.5, 0.2, 0.1])
    for previous in (None, past):
        whole = policy.assign(frame, previous, as_of="2026-01-01")
        assert whole["tier"].nunique() == 3
        for client, facts in frame.to_dict("index").items():
            earlier = None
            if previous is not None:
                earlier = past.loc[past["client_id"] == client, ["as_of", "tier"]].to_dict("records")
            one = policy.assign_one(facts, earlier, as_of="2026-01-01")
            row = whole.loc[client, ["tier", "watch", "tier_reason"]].to_dict()
            assert one == {name: None if pd.isna(value) else value for name, value in row.items()}


def test_one_client_without_a_needed_value_or_with_a_strange_one_is_named():
    policy = TierPolicy.default()
    with pytest.raises(MissingColumnError, match="'size_amount' is missing"):
        policy.assign_one({"pd": 0.01, "value": 1.0})
    facts = {"size_amount": 1.0, "pd": 0.01, "value": 1.0}
    with pytest.raises(DataError, match="value must hold a number"):
        policy.assign_one({**facts, "value": "much"})
    with pytest.raises(DataError, match="previous must hold tiers A, B, C; got Z"):
        policy.assign_one(facts, [{"as_of": "2025-01-01", "tier": "Z"}])
    with pytest.raises(DataError, match="as_of must be a date; got 'soon'"):
        policy.assign_one(facts, [{"as_of": "soon", "tier": "A"}])


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            {"cutoffs": [2.0, 1.0]},
            r"1 fault\.\n  - cutoffs must map tiers to numbers, such as {'A': 1.0}; got \[2.0",
        ),
        ({"pd_gates": 0.1}, "pd_gates must map tiers to numbers"),
        ({"watch_grades": "D"}, "watch_grades must be a list of grades; got 'D'"),
    ],
)
def test_settings_of_another_kind_are_faults(settings, fault):
    with pytest.raises(PolicyError, match=fault):
        TierPolicy(**settings)


def test_a_policy_file_that_is_absent_or_no_table_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"cannot be opened \(No such file or directory\)"):
        TierPolicy.from_toml(tmp_path / "tiers.toml")
    (tmp_path / "tiers.toml").write_text("tiers = 3")
    with pytest.raises(PolicyError, match="must be a table of names and values; got 3"):
        TierPolicy.from_toml(tmp_path / "tiers.toml")


def test_an_override_must_say_in_one_way_when_it_expires():
    overrides = pd.DataFrame({"client_id": ["1", "2"], "tier": "A", "reason": "x", "owner": "x"})
    with pytest.raises(DataError) as error:
        TierPolicy.default().assign(
            book(value=[1.0]), overrides=overrides.assign(expires=["01/02/2027", None]), as_of="2026-01-01"
        )
    assert error.value.faults == (
        "client 1: expires must be a date with the year first; got '01/02/2027'.",
        "client 2: expires must be given.",
    )


def test_red_on_the_credit_side_is_watch():
    frame = book(
        credit_signal_state=["green", "amber", "red", None, "red"],
        attrition_signal_state=["red", None, "green", "red", "red"],
    )
    assert TierPolicy().assign(frame)["watch"].tolist() == [False, False, True, False, True]
    both = TierPolicy(watch_signals=("credit", "attrition"))
    assert both.assign(frame)["watch"].tolist() == [True, False, True, True, True]
    assert TierPolicy(watch_signals=()).assign(frame)["watch"].tolist() == [False] * 5
    for policy in (TierPolicy(), both):
        ones = [policy.assign_one(row)["watch"] for row in frame.to_dict("records")]
        assert ones == policy.assign(frame)["watch"].tolist()


def test_red_is_watch_where_neither_pd_nor_grade_is_known():
    frame = book(pd=[np.nan] * 2, credit_signal_state=["red", "green"])
    watch = TierPolicy().assign(frame)["watch"]
    assert watch.iloc[0]
    assert pd.isna(watch.iloc[1])


def test_early_warning_never_changes_a_tier():
    frame = book(value=[5e6, 1.0])
    red = TierPolicy().assign(frame.assign(credit_signal_state="red"))
    assert red["tier"].tolist() == TierPolicy().assign(frame)["tier"].tolist()


def test_a_state_of_another_color_is_refused():
    frame = book(credit_signal_state=["orange"])
    message = "credit_signal_state must hold green, amber, red or be missing; got orange"
    with pytest.raises(DataError, match=message):
        TierPolicy().assign(frame)
    with pytest.raises(DataError, match=message):
        TierPolicy().assign_one(frame.iloc[0].to_dict())


@pytest.mark.parametrize("sides", ["credit", ("market",), 5])
def test_sides_of_early_warning_must_be_known(sides):
    with pytest.raises(PolicyError, match="watch_signals must be a list out of credit, attrition"):
        TierPolicy(watch_signals=sides)


def test_a_policy_from_before_early_warning_reads_with_the_default():
    state = TierPolicy().to_state()
    state.pop("watch_signals")
    assert TierPolicy.from_state(state) == TierPolicy()
