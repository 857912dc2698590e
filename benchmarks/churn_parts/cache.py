"""Predictions kept on disk: a model is fitted once for each version, setting, split and state of the data."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np

from common.store import load_arrays, save_arrays

from .models import MODELS, Model, Prediction, predict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .data import SurvivalSet


class Cache:
    """A folder with one file a (model, split of a set), the CPU seconds of its fit beside the curves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, model: Model, data: SurvivalSet, place: int) -> Path:
        """Return the file of one prediction; its name is a hash of all that it depends on."""
        split = data.splits[place]
        digest = hashlib.sha256(model.identity(model.settings_for(data)).encode())
        digest.update(data.digest.encode())
        for rows in (split.train, split.test):
            digest.update(np.asarray(rows, dtype=np.int64).tobytes())
        digest.update(f"{place if data.known else ''}".encode())
        digest.update(np.asarray(split.times, dtype=float).tobytes())
        name = re.sub(r"[ (),]+", "-", model.name).strip("-")
        return self.folder / data.name / f"{name}-{digest.hexdigest()[:24]}.npz"

    def get(self, model: Model, data: SurvivalSet, place: int, *, fit: bool = True) -> Prediction | None:
        """Return the prediction of one split, fitting it where it is not kept; None where `fit` forbids."""
        path = self.path(model, data, place)
        if path.exists():
            arrays, note = load_arrays(path)
            found = None if note["error"] else arrays["incidence"].astype(np.float64)
            return Prediction(found, note["error"], note["fit_seconds"], note["predict_seconds"])
        if not fit:
            return None
        made = predict(model, data, place)
        curves = np.empty(0) if made.incidence is None else made.incidence.astype(np.float32)
        note = {"error": made.error, "fit_seconds": made.fit_seconds}
        save_arrays(path, {"incidence": curves}, {**note, "predict_seconds": made.predict_seconds})
        return made

    def fill(self, data: SurvivalSet, models: Sequence[str], jobs: int) -> None:
        """Fit what is not kept, splits side by side."""
        from joblib import Parallel, delayed  # noqa: PLC0415 - only here

        work = [
            (MODELS[name], place)
            for name in models
            for place in range(len(data.splits))
            if not self.path(MODELS[name], data, place).exists()
        ]
        Parallel(n_jobs=jobs)(delayed(self._fit)(model, data, place) for model, place in work)

    def _fit(self, model: Model, data: SurvivalSet, place: int) -> None:
        self.get(model, data, place)
