from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from clientscore.bundle import load_model, save_model
from clientscore.cli import app, main
from clientscore.datasets import write_portfolio

runner = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_book) -> Path:
    path = tmp_path_factory.mktemp("book")
    write_portfolio(small_book, path)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command as a shell would and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["clientscore", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_help_lists_the_commands() -> None:
    answer = runner.invoke(app, ["--help"])
    assert answer.exit_code == 0
    for command in ("demo", "simulate", "validate", "fit", "score"):
        assert re.search(rf"\b{command}\b", answer.output)


def test_simulate_writes_a_book_that_validates(tmp_path: Path) -> None:
    answer = runner.invoke(app, ["simulate", str(tmp_path / "b"), "--clients", "40", "--months", "30"])
    assert answer.exit_code == 0
    answer = runner.invoke(app, ["validate", str(tmp_path / "b"), "--max-reject-share", "0"])
    assert answer.exit_code == 0, answer.output
    assert "clients" in answer.output


def test_fit_then_score_writes_the_assessment_and_the_report(folder: Path, tmp_path: Path) -> None:
    model, out, page = tmp_path / "m.clientscore", tmp_path / "a.parquet", tmp_path / "p.html"
    words = ["fit", str(folder), "--model", str(model), "--as-of", "2022-01-01", "--as-of", "2022-07-01"]
    assert runner.invoke(app, words).exit_code == 0
    words = ["score", str(folder), "--as-of", "2024-01-01", "--model", str(model), "--out", str(out)]
    found = tmp_path / "signals.parquet"
    answer = runner.invoke(app, [*words, "--report", str(page), "--signals", str(found)])
    assert answer.exit_code == 0, answer.output
    assert set(pd.read_parquet(found)["state"].dropna()) == {"quiet", "watch", "alarm"}
    assert pd.read_parquet(out)["pd"].notna().all()
    assert "<html" in page.read_text(encoding="utf-8")


def test_rules_of_a_file_go_into_the_model(folder: Path, tmp_path: Path) -> None:
    exits, signals = tmp_path / "exits.toml", tmp_path / "signals.toml"
    exits.write_text("[silent]\nratio = 0.4\n")
    signals.write_text("[signals.dpd_days]\nalarm = { value = 15 }\n")
    words = ["fit", str(folder), "--model", str(tmp_path / "m"), "--as-of", "2022-01-01"]
    answer = runner.invoke(app, [*words, "--exit-rules", str(exits), "--signal-rules", str(signals)])
    assert answer.exit_code == 0, answer.output
    model = load_model(tmp_path / "m")
    assert model.exit_rules_.silent.ratio == 0.4
    assert model.signal_rules_.signals["dpd_days"].alarm.value == 15


def test_a_wrong_rule_fails_before_the_work(monkeypatch, folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "exits.toml").write_text("[silent]\nratoi = 0.4\n")
    assert run(monkeypatch, "fit", str(folder), "--exit-rules", str(tmp_path / "exits.toml")) == 1
    told = capsys.readouterr().err
    assert "silent.ratoi is unknown" in told
    assert "fitting" not in told


def test_a_wrong_word_is_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "scoer") == 2


def test_a_damaged_model_fails_with_one_message(monkeypatch, folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "m").write_bytes(b"damaged")
    words = ("score", str(folder), "--as-of", "2024-01-01", "--model", str(tmp_path / "m"))
    assert run(monkeypatch, *words) == 1
    assert "not a readable model file" in " ".join(capsys.readouterr().err.split())


def test_too_many_rejects_have_a_code_of_their_own(monkeypatch, folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.parquet"):
        frame = pd.read_parquet(path)
        if path.stem == "facilities":
            frame["limit_amount"] = -1.0
        frame.to_parquet(tmp_path / path.name)
    rejects = tmp_path / "out" / "rejects.parquet"
    words = ("validate", str(tmp_path), "--max-reject-share", "0.1", "--rejects", str(rejects))
    assert run(monkeypatch, *words) == 3
    assert (pd.read_parquet(rejects)["column"] == "limit_amount").all()


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "01/02/2026", "2026"])
@pytest.mark.parametrize("command", ["validate", "fit", "score"])
def test_a_date_in_another_form_is_usage(monkeypatch, folder: Path, command: str, text: str, capsys) -> None:
    assert run(monkeypatch, command, str(folder), "--as-of", text) == 2
    assert "--as-of" in capsys.readouterr().err


def test_an_error_is_one_line_without_a_traceback(monkeypatch, folder: Path, tmp_path: Path, capsys) -> None:
    absent = tmp_path / ("a folder with a name so long that a terminal would have to break the line " * 2)
    assert run(monkeypatch, "score", str(folder), "--as-of", "2024-01-01", "--model", str(absent)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"There is no model file {str(absent)!r}. Save one with save_model."]


@pytest.mark.parametrize(
    ("command", "option"),
    [("validate", "--rejects"), ("fit", "--model"), ("score", "--out"), ("score", "--report")],
)
def test_a_result_that_cannot_be_written_fails_before_the_work(
    monkeypatch, folder: Path, tmp_path: Path, command: str, option: str, capsys
) -> None:
    (tmp_path / "taken").write_text("a file")
    words = [command, str(folder), *(["--as-of", "2024-01-01"] if command != "fit" else [])]
    for target, why in ((tmp_path, "Is a folder, give a file"), (tmp_path / "taken" / "x", "File exists")):
        assert run(monkeypatch, *words, option, str(target)) == 1
        told = capsys.readouterr()
        assert why in told.err
        assert "Traceback" not in told.err
        assert not told.out  # nothing was read or shown yet


def test_earlier_assessments_that_cannot_be_read_are_named(
    monkeypatch, folder: Path, tmp_path: Path, small_model, capsys
) -> None:
    save_model(small_model, tmp_path / "m")
    (tmp_path / "text").write_text("text")
    words = ("score", str(folder), "--as-of", "2024-01-01", "--model", str(tmp_path / "m"))
    for path, why in (
        (tmp_path / "absent", "There are no earlier assessments"),
        (tmp_path / "text", "is no Parquet file"),
        (folder / "clients.parquet", "'tier' is missing"),
    ):
        out = tmp_path / "a.parquet"
        assert run(monkeypatch, *words, "--out", str(out), "--previous", str(path)) == 1
        assert why in capsys.readouterr().err


def test_a_head_alone_cannot_score_a_book(
    monkeypatch, folder: Path, tmp_path: Path, small_model, capsys
) -> None:
    save_model(small_model.scorer_, tmp_path / "m")
    out = str(tmp_path / "a.parquet")
    words = ("score", str(folder), "--as-of", "2024-01-01", "--model", str(tmp_path / "m"), "--out", out)
    assert run(monkeypatch, *words) == 1
    assert "holds a ClientScorer; score needs a ClientModel" in capsys.readouterr().err


def test_older_chinese_exports_are_read(monkeypatch, tmp_path: Path, capsys) -> None:
    (tmp_path / "客户.csv").write_bytes("客户编号;客户名称\n00123;甲\n".encode("gb18030"))
    assert run(monkeypatch, "validate", str(tmp_path)) == 1
    assert 'encoding="gb18030"' in capsys.readouterr().err
    assert run(monkeypatch, "validate", str(tmp_path), "--encoding", "gb18030") == 0


@pytest.mark.slow
def test_the_demo_runs_and_writes_its_three_files(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "clientscore.cli", "demo", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert done.returncode == 0, done.stderr
    for word in ("Out of time", "base rate", "Aalen-Johansen", "Call first"):
        assert word in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        "assessments.parquet",
        "model.clientscore",
        "portfolio.html",
    }
