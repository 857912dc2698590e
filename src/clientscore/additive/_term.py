"""One table of a card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Term:
    """One table of the card: the effect of one feature, or of two together.

    Parameters
    ----------
    features : tuple of str
        One or two feature names.
    values : ndarray of shape (rows of the first[, rows of the second], n_outputs)
        Value of each row, in log-odds (or in the outcome's unit for the identity link).
    share : ndarray of shape (rows,), default None
        Share of the training weight in each row; only for terms of one feature.
    deviation : ndarray of the shape of `values`, default None
        Standard deviation of each value over the bags it is the mean of; None without bags.
    """

    features: tuple[str, ...]
    values: NDArray[np.float64]
    share: NDArray[np.float64] | None = None
    deviation: NDArray[np.float64] | None = None

    @property
    def name(self) -> str:
        """The feature, or "a x b" for a pair."""
        return " x ".join(self.features)

    def scaled(self, factor: NDArray[np.float64]) -> Term:
        """Return the term times a factor an output."""
        deviation = None if self.deviation is None else self.deviation * np.abs(factor)
        return replace(self, values=self.values * factor, deviation=deviation)

    def to_state(self) -> dict[str, Any]:
        """Return the term as a list of text and arrays."""
        return {
            "features": list(self.features),
            "values": self.values,
            "share": self.share,
            "deviation": self.deviation,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Term:
        """Build the term from :meth:`to_state`."""
        return cls(
            features=tuple(str(name) for name in state["features"]),
            values=np.asarray(state["values"], dtype=float),
            share=_array(state.get("share")),
            deviation=_array(state.get("deviation")),
        )

    def faults(self, rows: Mapping[str, int], n_outputs: int) -> list[str]:
        """Return what does not fit a card whose features have so many `rows`, in words."""
        unknown = [name for name in self.features if name not in rows]
        if unknown or not 1 <= len(self.features) <= 2:
            hint = did_you_mean(unknown[0], rows) if unknown else ""
            return [f"Term {self.name!r} must have one or two features of the bins.{hint}"]
        shape = (*(rows[name] for name in self.features), n_outputs)
        if self.values.shape != shape:
            return [f"Term {self.name!r} must have the shape {shape}; got {self.values.shape}."]
        if self.deviation is not None and self.deviation.shape != shape:
            return [f"Deviations of {self.name!r} must have the shape {shape}; got {self.deviation.shape}."]
        return [] if np.isfinite(self.values).all() else [f"Term {self.name!r} must hold finite values."]


def _array(values: ArrayLike | None) -> NDArray[np.float64] | None:
    return None if values is None else np.asarray(values, dtype=float)
