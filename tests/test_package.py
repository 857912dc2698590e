"""The wheel carries everything that the source tree has, and the command stands in it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(  # noqa: S603 - our own interpreter, our own project
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=repository,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_every_file_of_the_package_is_in_the_wheel(wheel: zipfile.ZipFile, repository: Path) -> None:
    source = repository / "src"
    here = {
        path.relative_to(source).as_posix()
        for path in (source / "clientscore").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    there = {name for name in wheel.namelist() if name.startswith("clientscore/")}
    assert here == there
    assert "clientscore/py.typed" in there
    assert any(name.endswith(".toml") for name in there)


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist()} == {
        "clientscore",
        next(name for name in wheel.namelist() if ".dist-info/" in name).split("/")[0],
    }


def test_metadata_names_license_python_and_command(wheel: zipfile.ZipFile) -> None:
    info = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")).rsplit("/", 1)[0]
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "clientscore = clientscore.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert "Apache License" in wheel.read(f"{info}/licenses/LICENSE").decode()
