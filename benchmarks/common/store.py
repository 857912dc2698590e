"""Arrays kept on disk with a note, written beside their place and moved there."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray], note: Mapping[str, Any]) -> None:
    """Write so that a run that is stopped leaves no half file; the date is added to the note."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**note, "date": f"{pd.Timestamp.now():%Y-%m-%d}"})
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays, note=np.array(text))
    part.replace(path)


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the note."""
    with np.load(path) as file:
        note = json.loads(str(file["note"]))
        return {name: file[name] for name in file.files if name != "note"}, note
