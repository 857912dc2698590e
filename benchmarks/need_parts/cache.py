"""Arrays kept on disk: a fit is made once for each version, setting, split and state of the data."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from common.repository import REPOSITORY
from common.store import load_arrays, save_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HAZARD_SOURCES = ("hazard/**/*.py", "additive/**/*.py")
OUR_SOURCES = ("need/**/*.py", *HAZARD_SOURCES)


@dataclass(frozen=True)
class Work:
    """What is fitted: its name and settings, the packages it depends on, and the data's digest."""

    name: str
    settings: Mapping[str, Any]
    data: str
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()  # files of the library that the result depends on

    @property
    def key(self) -> str:
        """Hash of all that the result depends on."""
        versions = {package: version(package) for package in self.packages}
        source = source_digest(self.sources)
        text = json.dumps([self.name, versions, dict(self.settings), self.data, source], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass
class Cache:
    """A folder of arrays; `seconds` holds the CPU seconds of what was read or made."""

    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def get(self, work: Work, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray] | None:
        """Return the arrays of a work, making them where they are not kept; None where it fails."""
        try:
            path = self.folder / f"{work.name.replace(' ', '-')}-{work.key}.npz"
        except ModuleNotFoundError as error:
            self.failed[work.name] = f"{error}"[:200]
            return None
        if path.exists():
            arrays, note = load_arrays(path)
            self.seconds[work.name] = note["seconds"]
            return arrays
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = make()
        except Exception as error:  # noqa: BLE001 - a benchmark reports how a peer fails
            self.failed[work.name] = f"{type(error).__name__}: {error}"[:300]
            return None
        self.seconds[work.name] = time.process_time() - start
        save_arrays(path, made, {"seconds": self.seconds[work.name], "name": work.name})
        return made


@cache
def source_digest(patterns: tuple[str, ...]) -> str:
    """Hash of the library's code that a result is made by."""
    source = REPOSITORY / "src" / "clientscore"
    digest = hashlib.sha256()
    for pattern in patterns:
        for file in sorted(source.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def digest_of(*parts: pd.DataFrame | np.ndarray) -> str:
    """Hash of frames and arrays."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, pd.DataFrame):
            digest.update("|".join(map(str, part.columns)).encode())
            digest.update(pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes())
        else:
            values = np.asarray(part)
            digest.update(str(values.tolist()).encode() if values.dtype == object else values.tobytes())
    return digest.hexdigest()
