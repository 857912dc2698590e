"""The Python of README and docs runs as written; both languages show the same code; links lead somewhere."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md",
    "README.zh-CN.md",
    "CONTRIBUTING.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]
WHOLE_MODELS = [f"docs/how-to/{name}.md" for name in ("churn", "need", "score-a-book")]  # many seconds each
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks_of(page: str, language: str = "python") -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def run_as_doctest(text: str, name: str) -> doctest.TestResults:
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    return doctest.DocTestRunner(optionflags=FLAGS).run(test)


def pages_with_code() -> list[object]:
    return [
        pytest.param(page, marks=pytest.mark.slow) if page in WHOLE_MODELS else page
        for page in PAGES
        if blocks_of(page)
    ]


@pytest.mark.parametrize("page", pages_with_code())
def test_the_code_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page == "README.zh-CN.md":
        assert blocks_of(page) == blocks_of("README.md")
        return
    monkeypatch.chdir(tmp_path)
    result = run_as_doctest("\n".join(blocks_of(page)), page)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_quickstart_has_fifteen_lines() -> None:
    (quickstart,) = blocks_of("README.md")
    lines = [line for line in quickstart.splitlines() if line.strip()]
    assert len(lines) <= 20  # fifteen of code, the rest what it answers
    assert sum(line.startswith(">>> ") for line in lines) <= 15


def test_a_wrong_answer_is_caught() -> None:
    assert run_as_doctest(">>> 1 + 1\n3\n", "planted").failed == 1


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and not re.match(r"\w+:", target)]
    assert [target for target in local if not ((ROOT / page).parent / target).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_two_commands_come_first(page: str) -> None:
    commands = blocks_of(page, "sh")[0].splitlines()
    assert [line.split("#")[0].strip() for line in commands] == ["make demo", "make test"]
