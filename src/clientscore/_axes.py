"""The axes of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clientscore.exceptions import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes(ax: Axes | None, measure: str) -> Axes:
    """Return the caller's axes, or new ones."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt  # noqa: PLC0415 -- an extra, needed here only
    except ImportError as error:
        raise MissingDependencyError(
            f"{measure} needs matplotlib, which is not installed. Run: pip install 'clientscore[report]'."
        ) from error
    return plt.subplots(layout="constrained")[1]
