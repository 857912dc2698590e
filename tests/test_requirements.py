"""The locks: every package pinned and hashed, no address inside, one version of each in all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "requirements"
LOCKS = ("base", "dev", "bench")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)(?: ; ([^\\]+?))? \\$")


def pins_of(lock: str) -> dict[tuple[str, str], str]:
    """Return (package, environment marker) -> version of one lock."""
    matches = (PIN.match(line) for line in (FOLDER / f"{lock}.lock").read_text(encoding="utf-8").splitlines())
    return {(match[1], match[3] or ""): match[2] for match in matches if match}


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", item)[0].lower() for item in requirements}


def test_the_folder_holds_these_locks() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{lock}.lock" for lock in LOCKS}


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_and_no_option(lock: str) -> None:
    text = (FOLDER / f"{lock}.lock").read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S*|\bfile:|@ ", text) == []
    assert [line for line in text.splitlines() if line.startswith("-")] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    lines = (FOLDER / f"{lock}.lock").read_text(encoding="utf-8").splitlines()
    pinned = [number for number, line in enumerate(lines) if line[:1].isalnum()]
    assert pinned
    assert all(PIN.match(lines[number]) for number in pinned)
    assert all(lines[number + 1].startswith("    --hash=sha256:") for number in pinned)


@pytest.mark.parametrize(("small", "large"), [("base", "dev"), ("dev", "bench")])
def test_larger_locks_keep_the_versions(small: str, large: str) -> None:
    """A package that the smaller needs on some machines only may be needed on all by the larger."""
    kept = pins_of(large)
    versions = {name: {kept[pin] for pin in kept if pin[0] == name} for name, _ in kept}
    assert [
        pin
        for pin, version in pins_of(small).items()
        if kept.get(pin) != version and versions.get(pin[0]) != {version}
    ] == []


def test_what_the_project_needs_is_locked() -> None:
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    core = names_of(project["project"]["dependencies"])
    report = names_of(project["project"]["optional-dependencies"]["report"])
    locked = {lock: {name for name, _ in pins_of(lock)} for lock in LOCKS}
    assert core <= locked["base"]
    assert core | report | names_of(groups["dev"]) <= locked["dev"]
    assert names_of(groups["bench"]) <= locked["bench"]
    assert names_of(project["build-system"]["requires"]) <= locked["dev"]
