from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from clientscore.exceptions import InvalidParameterError, MissingColumnError, SchemaError
from clientscore.schema import ClientSchema, conform_tables, validate_clients

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = ClientSchema.default()


@pytest.mark.parametrize("read", [conform_tables, validate_clients])
def test_arguments_of_another_kind_are_named(read: Callable[..., object]) -> None:
    clients = pd.DataFrame({"client_id": ["a"]})
    with pytest.raises(InvalidParameterError, match=r"schema must be a ClientSchema; got 'schema.toml'"):
        read({"clients": clients}, "schema.toml")
    for tables, kind in (("book", "str"), ([clients], "list"), (None, "NoneType"), (clients, "DataFrame")):
        with pytest.raises(SchemaError, match=f"tables must be frames by name, .* got {kind}"):
            read(tables, SCHEMA)


def test_an_id_in_the_index_is_found_there() -> None:
    clients = pd.DataFrame({"name": ["A"]}, index=pd.Index(["a"], name="客户编号"))
    with pytest.raises(
        MissingColumnError, match=r"'client_id' is missing. It stands in the index: give frame.reset"
    ):
        validate_clients({"clients": clients}, SCHEMA)
