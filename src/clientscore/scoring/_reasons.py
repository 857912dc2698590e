"""Reasons: the features that cost a client the most points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_option
from clientscore.catalogue import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from clientscore.additive import AdditiveCard

ReasonMethod = Literal["shortfall", "loss"]
Language = Literal["en", "zh"]

_MIN_LOSS = 1e-9  # log-odds; less is no loss
_BANDS = 20
_SAMPLE_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class ReasonReference:
    """What other clients' features contribute, in log-odds: the measure of a shortfall.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Average over the training clients.
    best : ndarray of shape (n_features,)
        Lowest contribution that any training client had.
    decision : ndarray of shape (n_bands,)
        Mean log-odds of bands of training clients of equal size, increasing.
    by_band : ndarray of shape (n_bands, n_features)
        Average over each band.
    """

    mean: NDArray[np.float64]
    best: NDArray[np.float64]
    decision: NDArray[np.float64]
    by_band: NDArray[np.float64]

    @classmethod
    def measure(
        cls, card: AdditiveCard, X: pd.DataFrame, weight: NDArray[np.float64] | None
    ) -> ReasonReference:
        """Summarize the contributions of training rows, of a fixed sample where there are many."""
        rows = np.arange(len(X))
        if len(rows) > _SAMPLE_ROWS:
            rows = np.sort(np.random.default_rng(0).choice(rows, _SAMPLE_ROWS, replace=False))
        codes = card.encode(X.iloc[rows])
        contributions, decision = card.feature_contributions_codes(codes), card.decision_codes(codes)
        w = np.ones(len(rows)) if weight is None else weight[rows]
        bands = np.array_split(np.argsort(decision, kind="stable"), min(_BANDS, len(decision)))
        centers = np.array([decision[rows].mean() for rows in bands])
        return cls(
            mean=w @ contributions / w.sum(),
            best=contributions.min(axis=0),
            decision=centers,
            by_band=np.array([contributions[rows].mean(axis=0) for rows in bands]),
        )

    def of(self, method: str, cutoff: float | None) -> NDArray[np.float64]:
        """Return the contribution each feature is compared with; `cutoff` in log-odds."""
        check_option("method", method, ReasonMethod)
        if method == "loss":
            return self.best
        if cutoff is None:
            return self.mean
        columns = [np.interp(cutoff, self.decision, column) for column in self.by_band.T]
        return np.array(columns, dtype=float)

    def to_state(self) -> dict[str, Any]:
        """Return the arrays."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ReasonReference:
        """Build the reference from :meth:`to_state`."""
        return cls(**{name: np.asarray(state[name], dtype=float) for name in cls.__dataclass_fields__})


def reason_frame(contributions: pd.DataFrame, reference: NDArray[np.float64], n: int) -> pd.DataFrame:
    """Return the names of the n largest losses of each row; missing where fewer features lose anything."""
    loss = contributions.to_numpy() - reference
    width = min(n, loss.shape[1])
    places = np.argsort(-loss, axis=1, kind="stable")[:, :width]
    names = np.full((len(loss), n), None, dtype=object)
    if width:
        found = np.array(contributions.columns, dtype=object)[places]
        found[np.take_along_axis(loss, places, axis=1) <= _MIN_LOSS] = None
        names[:, :width] = found
    columns = {f"reason_{k + 1}": pd.Series(names[:, k], dtype="str") for k in range(n)}
    return pd.DataFrame(columns).set_axis(contributions.index, axis=0)


def reason_list(contributions: Mapping[str, float], reference: NDArray[np.float64], n: int) -> list[str]:
    """Return the names of the n largest losses of one client, largest first."""
    losses = [
        (base - value, name)
        for (name, value), base in zip(contributions.items(), reference.tolist(), strict=True)
        if value - base > _MIN_LOSS
    ]
    losses.sort(key=lambda pair: pair[0])
    return [name for _, name in losses[:n]]


def reason_text(code: str | None, lang: Language = "en") -> str:
    """Return a reason code in words.

    Parameters
    ----------
    code : str or None
        A reason code: the name of the feature; missing where a client has fewer reasons.
    lang : {"en", "zh"}, default "en"
        English or Chinese.

    Returns
    -------
    str
        The catalogue's words; for a feature of your own its name, underscores as blanks; for a missing code
        an empty text.

    Examples
    --------
    >>> reason_text("interest_cover", lang="zh")
    '利息保障倍数'
    >>> reason_text("years_in_chamber")
    'years in chamber'
    """
    check_option("lang", lang, Language)
    if code is None or code is pd.NA or code != code:  # noqa: PLR0124 -- NaN differs from itself
        return ""
    return in_words(code, lang)
