"""Where a key of a policy stands in its file, and the list of all faults found in it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from clientscore._checks import did_you_mean
from clientscore.exceptions import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str | int, ...]

_NAME = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")


class Faults:
    """Collects what is wrong, each with its file, line and key.

    Parameters
    ----------
    name : str, default "policy"
        Name of the file or object in messages.
    lines : mapping of path to int, default None
        Line of each key; None where there is no file.
    """

    def __init__(self, name: str = "policy", lines: Mapping[Path, int] | None = None) -> None:
        self.name = name
        self.lines = lines or {}
        self.found: list[tuple[int, str]] = []
        self.paths: list[Path] = []

    def add(self, path: Path, text: str) -> None:
        """Note one fault at `path`."""
        self.paths.append(path)
        self.add_text(self.line(path), f"{dotted(path)} {text}")

    def add_text(self, line: int | None, text: str) -> None:
        """Note one fault in words of its own."""
        where = f"{self.name}, line {line}" if line else self.name
        self.found.append((line or 0, f"{where}: {text}"))

    def unknown(self, path: Path, kind: str, word: str, known: Iterable[str]) -> None:
        """Note a word that names nothing, with the nearest one that does."""
        options = sorted(known)
        hint = did_you_mean(str(word), options) or f" Known: {', '.join(options)}."
        self.add(path, f"names {kind} {word!r}, which does not exist.{hint}")

    def line(self, path: Path) -> int | None:
        """Line of the longest part of `path` that the file is known to hold."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def raise_if(self) -> None:
        """Raise one PolicyError with all faults in the order of the file."""
        if self.found:
            texts = [text for _, text in sorted(dict.fromkeys(self.found), key=lambda item: item[0])]
            count = len(texts)
            raise PolicyError(f"{self.name} has {count} fault{'s' if count > 1 else ''}.", texts)


def dotted(path: Path) -> str:
    """Write a path as a person would: ``tables.layer.rules[2].when``."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_toml(text: str, name: str) -> tuple[dict[str, Any], Faults]:
    """Parse TOML and remember the line of every table and key.

    Raises
    ------
    PolicyError
        The text is not TOML.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{name} must be TOML; {error}.") from error
    return document, Faults(name, _lines(text))


def _lines(text: str) -> dict[Path, int]:
    """Map the path of each table header and of each key at a line's start to its line."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    here: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            here = _resolve(_parts(header[2]), counts, repeats=header[1] == "[[")
            for end in range(1, len(here) + 1):
                lines.setdefault(here[:end], number)
            continue
        key = _KEY.match(line)
        if key:
            lines.setdefault((*here, *_parts(key[1])), number)
    return lines


def _parts(text: str) -> list[str]:
    return ["".join(groups) for groups in _PART.findall(text)]


def _resolve(parts: list[str], counts: dict[Path, int], *, repeats: bool) -> Path:
    """Turn a header into a path: the last element where it passes through an array of tables."""
    path: Path = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        last = position == len(parts) - 1
        if repeats and last:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
