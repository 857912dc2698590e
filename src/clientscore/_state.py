"""The state of a model as plain data: JSON values and numpy arrays, nothing else.

Every learned or decided object has ``to_state`` and ``from_state``. A state is a dict of None, booleans,
numbers, text, lists, dicts with text keys (order kept) and arrays of numbers or booleans. This module takes a
state apart into one JSON text and a list of arrays, puts it together again, and gives it a digest.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARRAY = "$array"
_FLOAT = "$float"  # JSON has no word for infinities and NaN


def split_state(state: object) -> tuple[str, list[np.ndarray]]:
    """Return the JSON text of a state, arrays replaced by references, and the arrays in order.

    Examples
    --------
    >>> text, arrays = split_state({"edges": np.array([1.0, 2.0]), "name": "dscr"})
    >>> text
    '{"edges":{"$array":0},"name":"dscr"}'
    """
    arrays: list[np.ndarray] = []
    tree = _to_json(state, arrays, "state")
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False), arrays


def join_state(text: str, arrays: Sequence[np.ndarray]) -> Any:
    """Return the state that `split_state` took apart.

    Raises
    ------
    DataError
        A reference points to an array that is not there, or the text is not JSON.
    """
    try:
        tree = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"The state must be JSON; {error}.") from error
    return _from_json(tree, arrays)


def digest(state: object) -> str:
    """Return the SHA-256 of a state as 64 hexadecimal digits; equal states give equal digests."""
    text, arrays = split_state(_sorted_keys(state))
    sha = hashlib.sha256(text.encode())
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _to_json(value: object, arrays: list[np.ndarray], where: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT: repr(value)}
    if isinstance(value, np.ndarray):
        return _array_reference(value, arrays, where)
    if isinstance(value, list | tuple):
        return [_to_json(item, arrays, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        _check_keys(value, where)
        return {key: _to_json(value[key], arrays, f"{where}.{key}") for key in value}
    raise DataError(f"{where} must be plain data (see clientscore._state); got {type(value).__name__}.")


def _sorted_keys(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted_keys(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_sorted_keys(item) for item in value]
    return value


def _array_reference(value: np.ndarray, arrays: list[np.ndarray], where: str) -> dict[str, int]:
    if value.dtype.kind not in "biuf":
        raise DataError(f"{where} must be an array of numbers or booleans; got dtype {value.dtype}.")
    arrays.append(value)
    return {_ARRAY: len(arrays) - 1}


def _check_keys(value: dict[Any, Any], where: str) -> None:
    for key in value:
        if not isinstance(key, str) or key in (_ARRAY, _FLOAT):
            raise DataError(f"{where} must have text keys other than {_ARRAY}, {_FLOAT}; got {key!r}.")


def _from_json(tree: Any, arrays: Sequence[np.ndarray]) -> Any:
    if isinstance(tree, dict):
        if set(tree) == {_ARRAY}:
            position = tree[_ARRAY]
            if not isinstance(position, int) or not 0 <= position < len(arrays):
                raise DataError(f"The state refers to array {position!r}; there are {len(arrays)}.")
            return arrays[position]
        if set(tree) == {_FLOAT}:
            return float(tree[_FLOAT])
        return {key: _from_json(value, arrays) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_from_json(item, arrays) for item in tree]
    return tree
