"""Every notebook runs from top to bottom, and is kept without its outputs."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EXTRAS = {"02_scorecard": ("duckdb", "sqlglot")}  # beyond what notebooks always need


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> str:
    """Run all cells in a fresh kernel that works in `folder`; return what they print.

    Warnings of our own code are errors.
    """
    ours = nbformat.v4.new_code_cell(
        "import warnings; warnings.filterwarnings('error', module='clientscore')"
    )
    notebook.cells.insert(0, ours)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def need_extras(name: str) -> None:
    for module in EXTRAS.get(name, ()):
        pytest.importorskip(module, reason=f"{name} needs {module}: pip install 'clientscore[sql]'")


def test_there_are_notebooks() -> None:
    names = ["01_whole_chain", "02_scorecard", "03_churn", "04_financing_need", "05_strategy"]
    assert [path.stem for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path) -> None:
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_tells_its_story(path: Path) -> None:
    cells = read(path).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    links = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", target)]
    assert [target for target in links if not (FOLDER / target).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path) -> None:
    need_extras(path.stem)
    run(read(path), FOLDER)


@pytest.mark.slow
def test_the_scorecard_runs_without_real_data_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_extras("02_scorecard")
    monkeypatch.setenv("CLIENTSCORE_DATA", str(tmp_path))
    told = run(read(FOLDER / "02_scorecard.ipynb"), FOLDER)
    assert told.startswith(f"data: the SIMULATED sample book; no US companies in {tmp_path}\n")
    assert told.count(" 0 mismatches") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["03_churn", "04_financing_need"])
def test_it_runs_without_real_data_and_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENTSCORE_DATA", str(tmp_path))
    told = run(read(FOLDER / f"{name}.ipynb"), FOLDER)
    assert told.startswith(f"data: the SIMULATED sample book; no US companies in {tmp_path}\n")


def test_a_cell_that_fails_is_caught(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 == 2")])
    with pytest.raises(CellExecutionError, match="AssertionError"):
        run(notebook, tmp_path)
