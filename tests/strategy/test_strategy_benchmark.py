"""The benchmark of strategy runs and its page says what was measured."""

from __future__ import annotations

import importlib
import subprocess
import sys

import zen


def test_the_page_of_strategy(repository):
    command = [sys.executable, str(repository / "benchmarks" / "strategy.py"), "--quick"]
    command += ["--parts", "allocation,checker"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    bars = {line.split("|")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("| ")}
    assert bars["4: checker"].rstrip().endswith("| met |")
    row = bars["2,000"].split("|")
    assert 0.999 <= float(row[3]) <= 1.0  # share of the linear program
    assert abs(float(row[4])) < 1e-5  # the bound is its optimum
    assert float(row[7]) < float(row[3])


def test_the_drawn_rules_say_the_same_in_another_engine(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    rules = importlib.import_module("strategy_parts.rules")
    drawn, book = rules.draw_rules(1), rules.draw_book(300, 1)
    ours = rules.strategy_of(drawn).decide(book)["service_layer"].tolist()
    decision = zen.ZenEngine().create_decision(importlib.import_module("json").dumps(drawn))
    clients = book.astype(object).where(book.notna(), None).to_dict("records")
    assert ours == [decision.evaluate(client)["result"]["service_layer"] for client in clients]


def test_a_part_that_is_not_there_is_said(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    strategy = importlib.import_module("strategy")
    monkeypatch.setattr(strategy, "PARTS", ("allocation", "nowhere"))
    assert strategy.there() == ["allocation"]
