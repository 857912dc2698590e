"""A bare `import clientscore` loads nothing heavy and changes nothing; benchmarks/speed.py times it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "numpy",
    "pandas",
    "sklearn",
    "scipy",
    "lightgbm",
    "pyarrow",
    "matplotlib",
    "typer",
    "rich",
    "joblib",
    "jinja2",
}

PROBE = """
import json, logging, os, sys, warnings
before = (list(warnings.filters), dict(os.environ), list(logging.getLogger().handlers), set(sys.modules))
import clientscore
after = (list(warnings.filters), dict(os.environ), list(logging.getLogger().handlers))
print(json.dumps({
    "unchanged": [one == two for one, two in zip(before, after)],
    "loaded": sorted({name.split(".")[0] for name in set(sys.modules) - before[3]}),
    "rooms": sorted(name for name in sys.modules if name.startswith("clientscore.")),
}))
"""


def probe(code: str = PROBE) -> dict[str, object]:
    """Run `code` in a fresh interpreter, warnings as errors, and return what it prints."""
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own code
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def runs() -> list[dict[str, object]]:
    return [probe()]


def test_nothing_heavy_is_loaded(runs: list[dict[str, object]]) -> None:
    assert "clientscore" in runs[0]["loaded"]
    assert HEAVY.isdisjoint(runs[0]["loaded"])
    assert runs[0]["rooms"] == []


def test_filters_environment_and_log_handlers_stay(runs: list[dict[str, object]]) -> None:
    assert runs[0]["unchanged"] == [True, True, True]


def test_the_probe_sees_a_heavy_import() -> None:
    heavy = probe(PROBE.replace("import clientscore\n", "import clientscore, numpy\n"))
    assert "numpy" in heavy["loaded"]


def test_the_errors_alone_stay_light() -> None:
    code = PROBE.replace("import clientscore\n", "import clientscore; clientscore.ClientScoreError\n")
    assert HEAVY.isdisjoint(probe(code)["loaded"])
