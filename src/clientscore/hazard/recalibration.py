"""A later window: where each cause can be brought to its level, and what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clientscore.exceptions import DataError, InvalidParameterError

from .level import event_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .sample import Sample
    from .shifts import Segment

    Floats = NDArray[np.float64]

MIN_EVENTS = 20  # fewest events that move a shift
_PARTS = 3


@dataclass(frozen=True, eq=False)
class Window:
    """A later window on the model's clock.

    Parameters
    ----------
    sample : Sample
        What happened in it.
    ends : tuple of int
        Number of periods up to each horizon, rising.
    segments : tuple of Segment
        Where each cause has a shift of its own.
    """

    sample: Sample
    ends: tuple[int, ...]
    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, sample: Sample, horizons: Sequence[float] | None) -> Window:
        """Choose where to agree, or raise when nothing can be said."""
        seen = int(sample.spells.last.max()) + 1
        if horizons is None:
            ends = sorted({max(1, round(seen * part / _PARTS)) for part in range(1, _PARTS + 1)})
        else:
            ends = _ends(sample, horizons)
        segments = event_segments(sample, ends, MIN_EVENTS)
        if not segments:
            counts = dict(zip(sample.target.causes, _events(sample, ends), strict=True))
            raise DataError(
                f"A cause must have at least {MIN_EVENTS} events in the window to be recalibrated; "
                f"got {counts}. Take a longer window."
            )
        return cls(sample, tuple(ends), tuple(segments))

    @property
    def horizons(self) -> list[float]:
        """The horizons as the model takes them."""
        clock = self.sample.clock
        if clock.whole:
            return list(self.ends)
        return np.interp(self.ends, clock.places, clock.knots).tolist()

    def record(self, before: Floats, shift: Floats) -> pd.DataFrame:
        """Return what was done, one row a cause and horizon.

        Parameters
        ----------
        before : ndarray of shape (n_horizons, n_causes)
            Mean incidence before.
        shift : ndarray of shape (n_periods, n_causes)
            Shift of the log odds.
        """
        agreed = {(one.cause, one.end) for one in self.segments}
        moved = {one.cause for one in self.segments}
        firsts = [0, *self.ends[:-1]]
        rows = []
        for code, cause in enumerate(self.sample.target.causes):
            for place, (first, end, horizon) in enumerate(zip(firsts, self.ends, self.horizons, strict=True)):
                done = "shifted" if (code, end) in agreed else "joined with the next"
                rows.append(
                    {
                        "cause": cause,
                        "horizon": horizon,
                        "events": float(self.sample.counts[first:end, code].sum()),
                        "before": float(before[place, code]),
                        "aalen_johansen": float(self.sample.incidence[end - 1, code]),
                        "shift": float(shift[end - 1, code]),
                        "done": done if code in moved else "unchanged: too few events",
                    }
                )
        return pd.DataFrame(rows)


def _events(sample: Sample, ends: Sequence[int]) -> list[int]:
    return [round(count) for count in sample.counts[: ends[-1]].sum(axis=0).tolist()]


def _ends(sample: Sample, horizons: Sequence[float]) -> list[int]:
    """Return the periods that the horizons end, or raise unless they rise within the follow-up."""
    wanted = np.asarray(list(horizons), dtype=np.float64)
    seen = float(sample.target.duration.max())
    rising = len(wanted) > 0 and bool((np.diff(wanted) > 0).all()) and bool(wanted[0] > 0)
    whole = not sample.clock.whole or bool((wanted % 1 == 0).all())
    if not rising or not whole or wanted[-1] > seen:
        raise InvalidParameterError(
            f"horizons must rise from above 0 to at most {seen:g}, as far as the window was followed, in "
            f"whole periods where the model's are; got {list(horizons)}."
        )
    return sorted({int(end) for end in np.ceil(sample.clock.place(wanted))})
