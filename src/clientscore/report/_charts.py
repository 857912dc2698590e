"""Geometry of the charts: from numbers to rectangles, points and ticks that a template can draw."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._tables import compact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HALF, FULL = 470, 980
_HEIGHT = 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 22, 12, 42
_PLOT_HEIGHT = _HEIGHT - _TOP - _BOTTOM


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return round numbers that span [low, high].

    Examples
    --------
    >>> ticks(0, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if not high > low:
        high = low + 1.0
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def stacked_bars(
    labels: Sequence[str], series: Mapping[str, Sequence[float]], colors: Mapping[str, str], width: int
) -> dict[str, Any]:
    """Return bars, one a label, stacked from the series (all at least zero)."""
    heights = np.array([list(values) for values in series.values()], dtype=float).reshape(len(series), -1)
    marks = ticks(0.0, float(heights.sum(axis=0).max(initial=0.0)))
    scale = _PLOT_HEIGHT / marks[-1]
    slot = (width - _LEFT - _RIGHT) / max(len(labels), 1)
    thick = min(slot * 0.72, 56.0)
    bars = []
    for position, label in enumerate(labels):
        base = 0.0
        for (name, _), height in zip(series.items(), heights[:, position].tolist(), strict=True):
            if height > 0:
                word = f"{name} " if len(series) > 1 else ""
                bars.append(
                    {
                        "x": round(_LEFT + slot * (position + 0.5) - thick / 2, 1),
                        "y": round(_TOP + _PLOT_HEIGHT - (base + height) * scale, 1),
                        "width": round(thick, 1),
                        "height": round(height * scale, 1),
                        "color": colors[name],
                        "hint": f"{label}: {word}{compact(height)}",
                    }
                )
            base += height
    letters = max((len(label) for label in labels), default=1)
    every = max(1, math.ceil((letters * 7 + 12) / slot))
    names = [
        {"x": round(_LEFT + slot * (position + 0.5), 1), "text": label}
        for position, label in enumerate(labels)
        if position % every == 0
    ]
    legend = [{"text": name, "color": colors[name]} for name in series] if len(series) > 1 else []
    y_marks = [_mark(mark * scale, mark) for mark in marks]
    return _chart(width, y_marks, names, legend) | {"bars": bars}


def scatter(
    x: np.ndarray, y: np.ndarray, group: Sequence[str], colors: Mapping[str, str], x_unit: str
) -> dict[str, Any]:
    """Return points over a linear share axis and a logarithmic amount axis (amounts above zero)."""
    x_marks = ticks(0.0, float(x.max(initial=0.0)) or 1.0)
    low, high = math.floor(np.log10(y.min())), math.ceil(np.log10(y.max()))
    high = max(high, low + 1)
    across, up = (HALF - _LEFT - _RIGHT) / x_marks[-1], _PLOT_HEIGHT / (high - low)
    points = [
        {
            "x": round(_LEFT + a * across, 1),
            "y": round(_TOP + _PLOT_HEIGHT - (math.log10(b) - low) * up, 1),
            "color": colors.get(name, "#999"),
        }
        for a, b, name in zip(x.tolist(), y.tolist(), group, strict=True)
    ]
    y_marks = [_mark((power - low) * up, 10.0**power) for power in range(low, high + 1)]
    names = [{"x": round(_LEFT + mark * across, 1), "text": f"{mark:.0%}"} for mark in x_marks]
    legend = [{"text": name, "color": color} for name, color in colors.items() if name in set(group)]
    return _chart(HALF, y_marks, names, legend) | {"points": points, "x_unit": x_unit}


def _mark(height: float, value: float) -> dict[str, Any]:
    return {"y": round(_TOP + _PLOT_HEIGHT - height, 1), "text": compact(value)}


def _chart(
    width: int, y_marks: list[dict[str, Any]], names: list[dict[str, Any]], legend: list[dict[str, str]]
) -> dict[str, Any]:
    """Return the frame of a chart; bars or points are laid over it."""
    frame: dict[str, Any] = {"width": width, "height": _HEIGHT, "left": _LEFT, "right": width - _RIGHT}
    frame |= {"bottom": _HEIGHT - _BOTTOM, "y_marks": y_marks, "names": names, "legend": legend}
    return frame | {"bars": [], "points": [], "x_unit": ""}
