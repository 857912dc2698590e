"""The e-mail test of Hillstrom (2008), outcome visit: matrix, splits, kept predictions of peers."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from common import SEED
from common.store import load_arrays, save_arrays

FEATURES = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel")
TRAIN_SHARE = 0.5
_ORDER = [
    "recency",
    "history",
    "mens",
    "womens",
    "newbie",
    "zip_code_Rural",
    "zip_code_Surburban",
    "zip_code_Urban",
    "channel_Multichannel",
    "channel_Phone",
    "channel_Web",
    "log_history",
]
PEERS_SCRIPT = Path(__file__).with_name("econml_peers.py")
PEERS = (
    "EconML DR, linear",
    "EconML DR, boosted",
    "EconML causal forest",
    "EconML causal forest, large leaves",
)


@dataclass(frozen=True)
class Mail:
    """Covariates (the amount spent also as its logarithm), arm (1 = mail), outcome (1 = visit)."""

    X: pd.DataFrame
    treatment: np.ndarray
    outcome: np.ndarray

    def matrix(self) -> np.ndarray:
        """Return the numbers that peers get: the same covariates, categories one-hot."""
        return pd.get_dummies(self.X, columns=["zip_code", "channel"], dtype=float)[_ORDER].to_numpy(float)

    def splits(self, n: int) -> list[np.ndarray]:
        """Return which rows train in each repetition: half of each arm, drawn anew."""
        return [self._split(SEED + number) for number in range(n)]

    def _split(self, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        train = np.zeros(len(self.treatment), dtype=bool)
        for arm in (0, 1):
            rows = rng.permutation(np.flatnonzero(self.treatment == arm))
            train[rows[: int(TRAIN_SHARE * len(rows))]] = True
        return train


def load(folder: Path, mail: str = "Womens E-Mail") -> Mail:
    """Return the two arms of the test."""
    table = pd.read_parquet(folder / "hillstrom_email.parquet")
    table = table[table["segment"].isin([mail, "No E-Mail"])].reset_index(drop=True)
    treatment = table["segment"].eq(mail).to_numpy(dtype=float)
    X = table[list(FEATURES)].assign(log_history=np.log(table["history"]))
    return Mail(X, treatment, table["visit"].to_numpy(dtype=float))


class Peers:
    """Predictions of EconML by versions, source of the settings, split and data; fitted only where missing.

    Parameters
    ----------
    folder : Path
        Where predictions are kept.
    python : str or None
        Interpreter of an environment with EconML; None: kept predictions alone.
    """

    def __init__(self, folder: Path, python: str | None) -> None:
        self.folder, self.python = folder, python
        self.versions: dict[str, str] = {}
        note = folder / "versions.json"
        if python is not None:
            command = [python, str(PEERS_SCRIPT), "--versions"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
            self.versions = json.loads(done.stdout)
            folder.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(self.versions), encoding="utf-8")
        elif note.exists():
            self.versions = json.loads(note.read_text(encoding="utf-8"))

    def effect(self, mail: Mail, name: str, train: np.ndarray) -> np.ndarray | None:
        """Return the effect predicted for the rows that did not train, None where it cannot be had."""
        path = self.path(mail, name, train)
        if path.exists():
            return load_arrays(path)[0]["effect"]
        if self.python is None:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            source, target = Path(scratch, "in.npz"), Path(scratch, "out.npz")
            np.savez(source, X=mail.matrix(), treatment=mail.treatment, outcome=mail.outcome, train=train)
            command = [self.python, str(PEERS_SCRIPT), str(source), str(target), name, str(SEED)]
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603
            with np.load(target) as file:
                effect = file["effect"]
        save_arrays(path, {"effect": effect}, {"learner": name, **self.versions})
        return effect

    def path(self, mail: Mail, name: str, train: np.ndarray) -> Path:
        """Return the file of one prediction; its name is a hash of all that it depends on."""
        settings = PEERS_SCRIPT.read_text(encoding="utf-8").partition("PACKAGES = ")[2]
        sha = hashlib.sha256(settings.encode())
        sha.update(json.dumps([name, self.versions], sort_keys=True).encode())
        for part in (mail.matrix(), mail.treatment, mail.outcome, train):
            sha.update(np.ascontiguousarray(part).tobytes())
        return self.folder / f"{sha.hexdigest()[:24]}.npz"
