"""The face: these names, no fewer and no more, each found where the map says."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import clientscore

NAMES = [
    "AdditiveCard",
    "Assessment",
    "ChurnModel",
    "ClientModel",
    "ClientSchema",
    "ClientScoreError",
    "ClientScorer",
    "FinancingNeedForecaster",
    "ReferencePopulation",
    "ScoreScale",
    "ServiceStrategy",
    "TierPolicy",
    "__version__",
    "additive",
    "build_context",
    "build_features",
    "build_labels",
    "build_signals",
    "datasets",
    "effects",
    "kpi",
    "labels",
    "load_model",
    "metrics",
    "reason_text",
    "report",
    "save_model",
    "scale",
    "scoring",
    "signals",
    "splits",
    "strategy",
    "tiering",
    "validate_clients",
    "value",
]
ROOMS = {
    "additive",
    "datasets",
    "effects",
    "kpi",
    "labels",
    "metrics",
    "report",
    "scale",
    "scoring",
    "signals",
    "splits",
} | {"strategy", "tiering", "value"}
FACE = Path(clientscore.__file__)


def test_the_names_are_pinned() -> None:
    assert clientscore.__all__ == NAMES
    assert dir(clientscore) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_resolves(name: str) -> None:
    value = getattr(clientscore, name)
    if name in ROOMS:
        assert value is importlib.import_module(f"clientscore.{name}")
    elif name != "__version__":
        assert callable(value)
        assert value.__name__ == name
        assert value.__doc__
        assert value is getattr(clientscore, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'clientscore' has no attribute 'Scorecard'"):
        _ = clientscore.Scorecard  # type: ignore[attr-defined]
    assert not hasattr(clientscore, "numpy")


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(FACE.read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {
        alias.name: (node.module or "").removeprefix("clientscore")
        for node in imports
        for alias in node.names
    }
    assert seen == {
        **dict.fromkeys(ROOMS, ""),
        **{name: f".{home}" for name, home in clientscore._HOMES.items()},
    }
    assert set(seen) | {"__version__"} == set(NAMES)


def test_the_version_is_the_one_of_the_project_file(repository: Path) -> None:
    project = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{clientscore.__version__}"' in project
    changes = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{clientscore.__version__}]" in changes
