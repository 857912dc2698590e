"""The master scale: probabilities of default to grades."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from clientscore._checks import check_interval, check_option
from clientscore.exceptions import DataError, InvalidParameterError

from ._points import like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from ._points import Values

DEFAULT_GRADE = "D"
MIN_GRADES = 7

Philosophy = Literal["pit", "ttc", "hybrid"]


@dataclass(frozen=True)
class MasterScale:
    """Grades by probability of default, best first; clients in default have the grade "D" of their own.

    A grade holds the probabilities above the bound of the grade before it, up to its own bound.  The default
    has nine grades whose bounds double: R1 up to 0.1 %, R2 up to 0.2 %, ... R8 up to 12.8 %, R9 above.

    Parameters
    ----------
    grades : tuple of str, default ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9")
        At least 7 names, best first, none of them "D".
    bounds : tuple of float, default (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
        Highest probability of each grade but the last: one fewer than `grades`, increasing, in (0, 1).
    pd_floor : float, default 0.0005
        Least probability used for a performing client, in [0, 1); see :meth:`floored`.
    philosophy : {"pit", "ttc", "hybrid"}, default "hybrid"
        What the probabilities mean, recorded with the scale and checked by nobody: default in the next twelve
        months as the economy stands ("pit", point in time), on average over a cycle ("ttc", through the
        cycle), or in between ("hybrid"), as with most models of financial and behavioral features that are
        calibrated to a few years.  See :func:`pit_from_ttc`.

    Raises
    ------
    InvalidParameterError
        If grades and bounds do not fit; all faults are listed.

    References
    ----------
    Basel Committee on Banking Supervision, CRE32 and CRE36 (2023): at least seven grades for performing
    borrowers and one for those in default; a floor of 0.05 % for corporate PD.

    Examples
    --------
    >>> MasterScale().grade([0.0004, 0.002, 0.5]).tolist()
    ['R1', 'R2', 'R9']
    """

    grades: tuple[str, ...] = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9")
    bounds: tuple[float, ...] = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
    pd_floor: float = 0.0005
    philosophy: Philosophy = "hybrid"

    def __post_init__(self) -> None:
        check_interval("pd_floor", self.pd_floor, low=0, high=1, closed="low")
        check_option("philosophy", self.philosophy, Philosophy)
        faults = []
        if len(self.grades) < MIN_GRADES:
            faults.append(
                f"A master scale needs at least {MIN_GRADES} grades beside 'D'; got {len(self.grades)}."
            )
        if len({*self.grades, DEFAULT_GRADE}) != len(self.grades) + 1:
            faults.append(f"Grades must differ from each other and from 'D'; got {self.grades}.")
        if len(self.bounds) != len(self.grades) - 1:
            faults.append(
                f"{len(self.grades)} grades need {len(self.grades) - 1} bounds; got {len(self.bounds)}."
            )
        inside = [0.0, *self.bounds, 1.0]
        if any(not low < high for low, high in pairwise(inside)):
            faults.append(f"Bounds must increase inside (0, 1); got {self.bounds}.")
        if faults:
            raise InvalidParameterError("The master scale cannot be used.", faults)

    def floored(self, probability: Values) -> Values:
        """Return probabilities with the floor applied; missing stays missing."""
        return like(probability, np.maximum(probability, self.pd_floor))

    def grade(self, probability: Any, defaulted: ArrayLike | None = None) -> pd.Series:
        """Return the grade of each probability of default.

        Parameters
        ----------
        probability : Series or array of shape (n,)
            Probabilities in [0, 1]; a missing one has no grade.
        defaulted : array of bool of shape (n,), default None
            Clients in default, who get the grade "D".

        Returns
        -------
        Series of str, named "grade", on the index of `probability` where it is a Series
        """
        return _grade(self, probability, defaulted)

    def grade_one(self, probability: float) -> str | None:
        """Return the grade of one probability of default in [0, 1]; None where it is missing (NaN).

        Examples
        --------
        >>> MasterScale().grade_one(0.002)
        'R2'
        """
        if math.isnan(probability):
            return None
        if not 0 <= probability <= 1:
            raise DataError(f"A probability must lie in [0, 1]; got {probability}.")
        return self.grades[bisect_left(self.bounds, probability)]

    def frame(self) -> pd.DataFrame:
        """Return the scale: columns grade, pd_above, pd_up_to; the last row is "D"."""
        low, high = [0.0, *self.bounds, 1.0], [*self.bounds, 1.0, 1.0]
        return pd.DataFrame({"grade": [*self.grades, DEFAULT_GRADE], "pd_above": low, "pd_up_to": high})

    def to_dict(self) -> dict[str, Any]:
        """Return grades, bounds, floor and philosophy."""
        return {
            "grades": list(self.grades),
            "bounds": list(self.bounds),
            "pd_floor": self.pd_floor,
            "philosophy": self.philosophy,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> MasterScale:
        """Build the scale from :meth:`to_dict`."""
        return cls(
            grades=tuple(str(grade) for grade in state["grades"]),
            bounds=tuple(float(bound) for bound in state["bounds"]),
            pd_floor=float(state["pd_floor"]),
            philosophy=state.get("philosophy", "hybrid"),  # scales saved before there was this field
        )


def _grade(scale: MasterScale, probability: Any, defaulted: ArrayLike | None) -> pd.Series:
    found = _grade_names(scale, np.asarray(probability, dtype=float))
    if defaulted is not None:
        found[np.asarray(defaulted, dtype=bool)] = DEFAULT_GRADE
    index = probability.index if isinstance(probability, pd.Series) else None
    return pd.Series(found, index=index, name="grade", dtype="str")


def _grade_names(scale: MasterScale, values: NDArray[np.float64]) -> NDArray[np.object_]:
    outside = (values < 0) | (values > 1)
    if outside.any():
        raise DataError(f"A probability must lie in [0, 1]; {int(outside.sum())} of {len(values)} do not.")
    names = np.array([*scale.grades, DEFAULT_GRADE], dtype=object)
    found = names[np.searchsorted(scale.bounds, values, side="left")]
    found[np.isnan(values)] = None
    return found
