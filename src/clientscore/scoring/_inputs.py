"""What a scorer accepts: frames by name, arrays by place, and a target of two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from clientscore.catalogue import PILLARS, pillar_of
from clientscore.exceptions import DataError, InvalidParameterError

from ._arrow import frame_from_arrow, is_arrow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


_BAD_WORDS = frozenset({"bad", "default", "defaulted", "delinquent", "distress", "bankrupt", "chgoff"})


def feature_frame(X: Any) -> tuple[pd.DataFrame, bool]:
    """Return X as a frame with text names, and whether it had names; columns of an array are x0, x1, ...

    Frames of other libraries come through Arrow.
    """
    if not isinstance(X, pd.DataFrame) and is_arrow(X):
        return frame_from_arrow(X), True
    if isinstance(X, pd.DataFrame):
        if all(isinstance(name, str) for name in X.columns):
            return X, True
        return X.set_axis([str(name) for name in X.columns], axis=1), True
    array = check_array(X, dtype=None, ensure_all_finite=False, ensure_min_samples=0, ensure_min_features=0)
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: X must hold real numbers.")
    names = [f"x{j}" for j in range(array.shape[1])]
    frame = pd.DataFrame(array, columns=names)
    return (frame.infer_objects() if array.dtype == object else frame), False


def scoring_frame(X: Any, names: Sequence[str], named: bool) -> pd.DataFrame:
    """Return X ready for a card fitted on `names`; an array must have the width of the one fitted on."""
    frame, has_names = feature_frame(X)
    if has_names:
        return frame
    if named:
        raise DataError(
            "X must be a DataFrame: the scorer was fitted on named columns, and an array cannot say which "
            f"column is which. Give a frame with the columns {', '.join(names[:5])}..."
        )
    if frame.shape[1] != len(names):
        raise DataError(
            f"X has {frame.shape[1]} features, but ClientScorer is expecting {len(names)} features as input."
        )
    return frame


def binary_target(
    X: pd.DataFrame, y: Any, indexed: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[Any]]:
    """Return y as 0 and 1, which rows know it, and the two classes; the greater class is the bad one.

    Rows of an array or of another library (`indexed` is false) have no index: y goes with them by place.
    """
    if y is None:
        raise DataError("requires y to be passed, but the target y is None.")
    if indexed and isinstance(y, pd.Series) and len(y) == len(X) and not y.index.equals(X.index):
        raise DataError("y must stand on X's index, in the same order. Give y.loc[X.index].")
    values = np.asarray(column_or_1d(y, warn=True))
    if len(values) != len(X):
        raise DataError(f"X and y must have the same number of rows; got {len(X)} and {len(values)}.")
    known = np.asarray(~pd.isna(values))
    labels = values[known]
    if labels.dtype == object:
        labels = np.array(labels.tolist())
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError(
            "Input y contains infinity or a value too large for a class; it must hold two classes."
        )
    if not len(labels):
        raise DataError(f"y must hold both classes; none of the {len(X)} rows knows it (0 sample(s)).")
    check_classification_targets(labels)
    classes = np.unique(labels)
    if len(classes) > 2:
        raise DataError(
            "Only binary classification is supported. The type of the target is multiclass: "
            f"y must hold two classes, good and bad; got {len(classes)}."
        )
    if len(classes) < 2:
        raise DataError(
            f"y must hold both classes, good and bad; it holds one class only: {classes.tolist()[0]!r}."
        )
    words = [str(name).lower() for name in classes]
    if words[0] in _BAD_WORDS and words[1] not in _BAD_WORDS:
        raise DataError(
            f"The greater class counts as bad, and {classes[1]!r} follows {classes[0]!r} in the alphabet: "
            f"points would be upside down. Give y == {classes[0]!r}."
        )
    target = np.zeros(len(X))
    target[known] = labels == classes[1]
    return target, known, classes


def check_both_classes(target: NDArray[np.float64]) -> None:
    """Raise unless each class has a row."""
    bads = int(target.sum())
    if bads in (0, len(target)):
        word = "good" if bads else "bad"
        raise DataError(
            f"y must hold both classes; no {word} row is left of {len(target)} sample(s). "
            "Rows of weight zero do not count; only one class is left."
        )


def known_outcomes(
    X: pd.DataFrame, y: Any, classes: NDArray[Any], indexed: bool
) -> NDArray[np.float64] | None:
    """Return y as 1 for the greater of the two classes, 0 for the other, NaN where it is missing.

    Rows of an array or of another library (`indexed` is false) have no index: y goes with them by place.
    """
    if y is None:
        return None
    if indexed and isinstance(y, pd.Series) and len(y) == len(X) and not y.index.equals(X.index):
        raise DataError("y must stand on X's index, in the same order. Give y.loc[X.index].")
    values = np.asarray(y, dtype=object)
    if values.shape != (len(X),):
        raise DataError(f"y must hold one value for each of the {len(X)} rows of X; got {values.shape}.")
    known = np.asarray(~pd.isna(values))
    strange = [value for value in pd.unique(values[known]) if value not in classes.tolist()]
    if strange:
        raise DataError(f"y must hold the classes {classes.tolist()}; got {strange[0]!r}.")
    target = np.full(len(X), np.nan)
    target[known] = values[known] == classes[1]
    return target


def row_weights(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Return weights as finite numbers >= 0, or None."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=float)
    if weight.ndim != 1:
        raise DataError("Sample weights must be 1D array or scalar: one number for each row.")
    if len(weight) != n or not np.isfinite(weight).all() or (weight < 0).any():
        raise DataError(f"sample_weight must hold {n} finite numbers >= 0; got {len(weight)} numbers.")
    return weight


def client_groups(X: pd.DataFrame, groups: ArrayLike | None) -> NDArray[Any] | None:
    """Return the client of each row: as given, or the client_id level of X's index where there is one."""
    if groups is not None:
        found = np.asarray(groups)
        if found.shape != (len(X),):
            raise DataError(f"groups must hold one value for each of the {len(X)} rows of X.")
    elif "client_id" in X.index.names:
        found = np.asarray(X.index.get_level_values("client_id"))
    else:
        return None
    missing = int(pd.isna(found).sum())
    if missing:
        raise DataError(
            f"Every row needs its client (groups, or the index level client_id); {missing} have none."
        )
    return found


def feature_pillars(names: Sequence[str], pillars: Mapping[str, str] | None) -> dict[str, str]:
    """Return the pillar of each feature: as given, else the catalogue's, else "other"."""
    given = dict(pillars or {})
    faults = [
        f"{name!r} must be one of {', '.join(PILLARS)}; got {pillar!r}."
        for name, pillar in given.items()
        if pillar not in PILLARS
    ]
    if faults:
        raise InvalidParameterError("pillars must map features to pillars.", faults)
    return {name: given.get(name, pillar_of(name)) for name in names}


def day_text(date: Any) -> str:
    """Return a date of the level as_of as text, without a time of day."""
    return str(date.date() if isinstance(date, pd.Timestamp) else date)
