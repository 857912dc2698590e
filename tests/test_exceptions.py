from __future__ import annotations

import inspect

import pytest

from clientscore import exceptions
from clientscore.exceptions import ClientScoreError, DataError, MissingColumnError, SchemaError

BUILTIN = {
    "InvalidParameterError": ValueError,
    "SchemaError": ValueError,
    "MissingColumnError": KeyError,
    "DataError": ValueError,
    "RejectedTooMuchError": ValueError,
    "OverlapError": ValueError,
    "PolicyError": ValueError,
    "BundleError": ValueError,
    "BundleFormatError": ValueError,
    "BundleIntegrityError": ValueError,
    "BundleVersionError": ValueError,
    "DataNotFoundError": FileNotFoundError,
    "MissingDependencyError": ImportError,
}


def test_every_error_is_exported_and_in_the_tree() -> None:
    found = {name for name, thing in vars(exceptions).items() if inspect.isclass(thing)}
    assert found == set(exceptions.__all__) == set(BUILTIN) | {"ClientScoreError"}


@pytest.mark.parametrize(("name", "builtin"), BUILTIN.items())
def test_each_error_is_ours_and_a_builtin(name: str, builtin: type[Exception]) -> None:
    error = getattr(exceptions, name)("what is wrong")
    assert isinstance(error, ClientScoreError)
    assert isinstance(error, builtin)
    assert str(error) == "what is wrong"
    assert error.faults == ()


def test_faults_are_listed_below_the_message() -> None:
    error = SchemaError("two faults.", ["first", "second"])
    assert error.message == "two faults."
    assert error.faults == ("first", "second")
    assert str(error) == "two faults.\n  - first\n  - second"


def test_of_very_many_faults_the_first_are_shown() -> None:
    error = SchemaError("many.", [f"fault {i}" for i in range(100)])
    assert len(error.faults) == 100
    assert str(error).splitlines()[-2:] == ["  - fault 29", "  ... and 70 more, see .faults"]


def test_a_key_error_shows_its_message_without_quotes() -> None:
    assert str(MissingColumnError("'x' is missing.", ["a"])) == "'x' is missing.\n  - a"


def test_the_module_docstring_draws_the_whole_tree() -> None:
    for name in exceptions.__all__:
        assert name in (exceptions.__doc__ or ""), name


def test_a_missing_column_is_caught_as_a_schema_fault_but_not_as_a_data_fault() -> None:
    with pytest.raises(SchemaError, match="gone"):
        raise MissingColumnError("gone")
    assert not issubclass(MissingColumnError, DataError)
