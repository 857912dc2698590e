"""Predictions kept on disk: a peer is fitted once for each version, setting, split and state of the data."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from common.store import load_arrays, save_arrays

from .peers import Model, Prediction, predict

if TYPE_CHECKING:
    from pathlib import Path

    from .folds import LabelledSet, Split


class Cache:
    """A folder with one file a (model, split of a set); the CPU seconds in it are information only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, model: Model, data: LabelledSet, split: Split) -> Path:
        """Return the file of one prediction; its name is a hash of all that it depends on."""
        settings = model.settings(*data.X.shape)
        digest = hashlib.sha256(model.identity(settings).encode())
        digest.update(data.digest.encode())
        for rows in split:
            digest.update(np.asarray(rows, dtype=np.int64).tobytes())
        name = model.name.replace(" ", "-").replace("(", "").replace(")", "")
        return self.folder / data.name / f"{name}-{digest.hexdigest()[:24]}.npz"

    def get(self, model: Model, data: LabelledSet, split: Split, *, fit: bool = True) -> Prediction | None:
        """Return the prediction of one split, fitting it where it is not kept; None where `fit` forbids."""
        path = self.path(model, data, split)
        if path.exists():
            return _load(path)
        if not fit:
            return None
        train, test = split
        groups = None if data.groups is None else data.groups[train]
        made = predict(
            model, data.X.iloc[train], data.y[train], groups, data.X.iloc[test], shape=data.X.shape
        )
        _save(path, made)
        return made


def _save(path: Path, made: Prediction) -> None:
    p = np.empty(0) if made.p is None else made.p
    save_arrays(path, {"p": p}, {"error": made.error, "seconds": made.seconds, "note": made.note})


def _load(path: Path) -> Prediction:
    arrays, note = load_arrays(path)
    return Prediction(None if note["error"] else arrays["p"], note["error"], note["seconds"], note["note"])
