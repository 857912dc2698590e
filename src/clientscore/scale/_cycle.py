"""Point in time and through the cycle: one PD, seen with and without the state of the economy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from clientscore._checks import check_interval
from clientscore.exceptions import DataError

from ._points import like

if TYPE_CHECKING:
    from ._points import Values


def pit_from_ttc(pd: Values, rho: float, z: Any) -> Values:
    """Return the PD given the state of the economy, from the PD averaged over all states.

    Vasicek's one-factor model: a client defaults when ``sqrt(rho) Z + sqrt(1 - rho) e`` falls below
    ``Phi^-1(pd)``, Z and e standard normal, so that
    ``PD(z) = Phi((Phi^-1(pd) - sqrt(rho) z) / sqrt(1 - rho))``; its mean over Z is `pd`.

    Parameters
    ----------
    pd : float, Series or array of shape (n,)
        Through-the-cycle PD in [0, 1]; missing stays missing.
    rho : float
        Asset correlation in [0, 1): 0.12 to 0.24 for corporates in the Basel formula, often 0.01 to 0.1 where
        it is estimated from default rates.
    z : float or array of shape (n,)
        State of the economy in standard deviations, positive in good years.

    Returns
    -------
    float, Series or array
        PD given z, of the kind of `pd`.

    Raises
    ------
    DataError
        If a PD lies outside [0, 1] or z is not finite.

    References
    ----------
    Vasicek, O. (2002). The distribution of loan portfolio value. Risk 15(12), 160-162.

    Examples
    --------
    >>> round(pit_from_ttc(0.01, rho=0.12, z=-1.0), 5), round(pit_from_ttc(0.01, rho=0.12, z=1.0), 5)
    (0.0174, 0.00219)
    """
    _check(pd, rho, z)
    return like(pd, _on_kind(pd, ndtr((ndtri(pd) - np.sqrt(rho) * z) / np.sqrt(1 - rho))))


def ttc_from_pit(pd: Values, rho: float, z: Any) -> Values:
    """Return the PD averaged over all states of the economy, from the PD in a known state.

    The inverse of :func:`pit_from_ttc`: ``Phi(sqrt(1 - rho) Phi^-1(pd) + sqrt(rho) z)``.

    Parameters
    ----------
    pd : float, Series or array of shape (n,)
        Point-in-time PD in [0, 1]; missing stays missing.
    rho : float
        Asset correlation in [0, 1).
    z : float or array of shape (n,)
        State of the economy that `pd` was measured in, positive in good years.

    Returns
    -------
    float, Series or array
        Through-the-cycle PD, of the kind of `pd`.

    Raises
    ------
    DataError
        If a PD lies outside [0, 1] or z is not finite.

    Examples
    --------
    >>> round(ttc_from_pit(pit_from_ttc(0.01, rho=0.12, z=-1.0), rho=0.12, z=-1.0), 6)
    0.01
    """
    _check(pd, rho, z)
    return like(pd, _on_kind(pd, ndtr(np.sqrt(1 - rho) * ndtri(pd) + np.sqrt(rho) * z)))


def _check(pd: Values, rho: float, z: Any) -> None:
    check_interval("rho", rho, low=0, high=1, closed="low")
    values = np.asarray(pd, dtype=float)
    outside = int(((values < 0) | (values > 1)).sum())
    if outside:
        raise DataError(f"A probability must lie in [0, 1]; {outside} of {values.size} do not.")
    if not np.isfinite(np.asarray(z, dtype=float)).all():
        raise DataError("z must be finite: a number of standard deviations, positive in good years.")


def _on_kind(given: Values, found: Any) -> Values:
    return type(given)(found, index=given.index, name=given.name) if hasattr(given, "index") else found
