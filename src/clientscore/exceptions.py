"""The one tree of errors.

::

    ClientScoreError
    ├── InvalidParameterError (ValueError)     a setting outside its rule
    ├── SchemaError (ValueError)               a schema, or tables that do not fit it
    │   └── MissingColumnError (KeyError)      a required column is absent
    ├── DataError (ValueError)                 values that cannot be used
    │   ├── RejectedTooMuchError               more rows rejected than allowed
    │   └── OverlapError                       arms or policies that the data cannot compare
    ├── PolicyError (ValueError)               a policy with faults, all listed
    ├── BundleError (ValueError)               a model file that cannot be used
    │   ├── BundleFormatError                  not a model file, truncated or malformed
    │   ├── BundleIntegrityError               contents differ from the manifest's hashes
    │   └── BundleVersionError                 written by a newer, incompatible version
    ├── DataNotFoundError (FileNotFoundError)  a data set that is not on this machine
    └── MissingDependencyError (ImportError)   an optional package is needed

Every message states the subject, the rule, the value and the remedy.  Errors that can have several causes
at once carry them all in ``faults``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BundleError",
    "BundleFormatError",
    "BundleIntegrityError",
    "BundleVersionError",
    "ClientScoreError",
    "DataError",
    "DataNotFoundError",
    "InvalidParameterError",
    "MissingColumnError",
    "MissingDependencyError",
    "OverlapError",
    "PolicyError",
    "RejectedTooMuchError",
    "SchemaError",
]


_SHOWN = 30  # faults in the text of an error


class ClientScoreError(Exception):
    """Base of every error this library raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong: subject, rule, value, remedy.
    faults : sequence of str, default ()
        All faults where there is more than one; they are listed below the message, the first
        30 of very many.
    """

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        self.message = message
        self.faults = tuple(faults)
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message, *(f"  - {fault}" for fault in self.faults[:_SHOWN])]
        if len(self.faults) > _SHOWN:
            lines.append(f"  ... and {len(self.faults) - _SHOWN} more, see .faults")
        return "\n".join(lines)


class InvalidParameterError(ClientScoreError, ValueError):
    """A parameter lies outside its rule."""


class SchemaError(ClientScoreError, ValueError):
    """A schema is wrong, or tables do not fit it."""


class MissingColumnError(SchemaError, KeyError):
    """A required column is absent."""


class DataError(ClientScoreError, ValueError):
    """Values cannot be used as they are."""


class RejectedTooMuchError(DataError):
    """A larger share of rows was rejected than the caller allows."""


class OverlapError(DataError):
    """Arms or policies share too little data to be compared."""


class PolicyError(ClientScoreError, ValueError):
    """A policy has faults."""


class BundleError(ClientScoreError, ValueError):
    """A model file cannot be used."""


class BundleFormatError(BundleError):
    """The file is not a model file, or it is truncated or malformed."""


class BundleIntegrityError(BundleError):
    """The file's contents differ from the hashes in its manifest."""


class BundleVersionError(BundleError):
    """The file was written by a newer version that this one cannot read."""


class DataNotFoundError(ClientScoreError, FileNotFoundError):
    """A data set is not on this machine."""


class MissingDependencyError(ClientScoreError, ImportError):
    """An optional package is needed for this call."""
