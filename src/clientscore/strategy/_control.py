"""Control cells: clients for whom nothing is done on purpose, so that effects can be measured."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from clientscore._checks import check_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

_BYTES = 8


def control_cells(ids: Iterable[Any], share: float, salt: str = "") -> np.ndarray:
    """Return which clients stand in the control cells, the same in every run.

    A client is in control where the hash of salt and id, read as a number in [0, 1), lies below `share`: no
    list is kept, order and size of the book do not matter, and a larger share keeps the smaller cell whole.
    A new salt draws new cells.

    Parameters
    ----------
    ids : iterable of shape (n,)
        Client ids; they count as text.
    share : float
        Share of clients in control, in [0, 1].
    salt : str, default ""
        Word that names the draw, such as the campaign.

    Returns
    -------
    array of bool of shape (n,)

    Raises
    ------
    InvalidParameterError
        `share` lies outside [0, 1].

    References
    ----------
    Kohavi, Tang and Xu (2020), Trustworthy Online Controlled Experiments, Cambridge University Press, chapter
    14, https://doi.org/10.1017/9781108653985 (assignment by a hash of the unit's id and the experiment).

    Examples
    --------
    >>> cells = control_cells([f"C{i}" for i in range(10_000)], share=0.1, salt="autumn")
    >>> abs(float(cells.mean()) - 0.1) < 0.01
    True
    """
    check_interval("share", share, low=0.0, high=1.0)
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    edge = share * 2.0 ** (8 * _BYTES)
    return np.array([_number(str(one), key) < edge for one in ids], dtype=bool)


def _number(client: str, key: bytes) -> int:
    digest = hashlib.blake2b(client.encode(), key=key, digest_size=_BYTES).digest()
    return int.from_bytes(digest, "big")
