"""The part of the risk that comes from service: the same hazards with service at its average."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clientscore._checks import did_you_mean
from clientscore.exceptions import InvalidParameterError
from clientscore.hazard import CompetingHazard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Beginnings of the names of service features: what the bank does, not what the client does or says.
SERVICE_PREFIXES = (
    *("response_", "complaints_", "approval_days_", "manager_changed_"),
    *("meetings_", "months_since_meeting"),
)


def service_features(names: Iterable[str]) -> tuple[str, ...]:
    """Return the features that measure the service a client received.

    Response time, complaints, approval time, change of manager and meetings: the names that begin with one of
    `SERVICE_PREFIXES`.  Satisfaction is not among them: it is what the client says, of price too.

    Parameters
    ----------
    names : iterable of str
        Names of features.

    Returns
    -------
    tuple of str
        Those of service, in the order given.

    Examples
    --------
    >>> service_features(["roa", "response_hours_mean_3m", "complaints_sum_12m"])
    ('response_hours_mean_3m', 'complaints_sum_12m')
    """
    return tuple(name for name in names if str(name).startswith(SERVICE_PREFIXES))


def chosen_features(names: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the features asked for, or those of service; raise where there is none or one is unknown."""
    if wanted is None:
        found = service_features(names)
        if not found:
            raise InvalidParameterError(
                "The model has no feature of service: no name begins with one of "
                f"{', '.join(SERVICE_PREFIXES)}. Name yours in features=."
            )
        return found
    asked = [wanted] if isinstance(wanted, str) else list(wanted)
    unknown = [name for name in asked if name not in names]
    if unknown or not asked:
        faults = [f"{name!r} is unknown.{did_you_mean(str(name), names)}" for name in unknown]
        raise InvalidParameterError("features must name features of the model, at least one.", faults)
    return tuple(asked)


def at_average(hazard: CompetingHazard, features: Sequence[str]) -> CompetingHazard:
    """Return the hazards of a client whose `features` are worth their training average, 0 by purification.

    Every term of a purified card has weighted mean 0, a pair in both directions, so the average over these
    features, all else as it is, is the card without their terms.
    """
    if hazard.card_ is None:
        if set(hazard.constant_causes_) == set(hazard.causes_):
            return hazard  # the same for every client: nothing comes from any feature
        raise InvalidParameterError(
            "The part of service is read off a card, and this model has none. Fit one that learns a card."
        )
    gone = set(features)
    terms = tuple(term for term in hazard.card_.terms if gone.isdisjoint(term.features))
    card = replace(hazard.card_, terms=terms, edits=())
    return CompetingHazard.from_state({**hazard.to_state(), "card": card.to_state()})
