"""The feature table: every client of the population at every date, always the same columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore.catalogue import feature_columns
from clientscore.timeline import as_of_list, output_index

from ._book import Book
from ._credit import credit_features
from ._financial import financial_features
from ._market import market_features
from ._reference import ReferencePopulation, quantile_grid, ranked_features
from ._relationship import relationship_features

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clientscore.schema import ClientSchema

    from ._arrays import Numbers
    from ._book import View


def build_features(
    tables: Mapping[str, pd.DataFrame],
    schema: ClientSchema,
    as_of: Any,
    reference: ReferencePopulation | None = None,
    include: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Build the features of every client at one date or several, from what was known then.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of the schema; any but ``clients`` may be absent, its features are then missing.
    schema : ClientSchema
        Names, units and rules of time.
    as_of : date, str or sequence of them
        One date gives rows indexed by ``client_id``; a list, even of one, by ``(client_id, as_of)``.
    reference : ReferencePopulation or None, default None
        Populations that ranks refer to.  None makes them from `tables`, which must then be the whole book;
        for a part of it pass the reference of the whole, and the features are the same to the last bit.
        The population of the latest date not after `as_of` is used.
    include : iterable of str or None, default None
        Clients outside the population to add, such as prospects; they do not enter the ranks' population.

    Returns
    -------
    DataFrame of float64
        One column a feature (`clientscore.catalogue.feature_columns`: always all, in one order); amounts
        are in the schema's currency, shares and rates are fractions, what cannot be known is missing.
        No value is capped and none is infinite: a quotient too large for a float is missing.

    Raises
    ------
    SchemaError
        When a table cannot be brought into the schema's form; a missing column is named.
    DataError
        When a number of the tables is infinite, when `include` names an unknown client, or when every
        population of `reference` lies after an `as_of`.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> tables = {
    ...     "clients": pd.DataFrame({"client_id": ["a", "b"], "relationship_start": "2020-01-01"}),
    ...     "statements": pd.DataFrame({
    ...         "client_id": ["a", "b"], "period_end": ["2024-12-31", "2024-12-31"],
    ...         "current_assets": [30.0, 10.0], "current_liabilities": [20.0, 20.0]}),
    ... }
    >>> X = build_features(tables, ClientSchema.default(), "2026-01-01")
    >>> X[["current_ratio", "current_ratio_rank"]]
               current_ratio  current_ratio_rank
    client_id
    a                    1.5                 1.0
    b                    0.5                 0.0
    """
    dates, scalar = as_of_list(as_of)
    book = Book(tables, schema)
    added = None if include is None else tuple(include)
    columns = feature_columns()
    blocks, groups = [], []
    for date in dates:
        view = book.view(date, added)
        levels = _levels(view)
        ranks = _reference_of(view, levels) if reference is None else reference
        levels |= {
            f"{name}_rank": ranks.rank(name, levels[name], date) for name in ranks.features if name in levels
        }
        blocks.append(_block(levels, columns, view.n_clients))
        groups.append(view.ids)
    values = np.concatenate(blocks, axis=1)
    index = output_index(groups, dates, scalar)
    return pd.DataFrame(values.T, index=index, columns=list(columns), copy=False)


def build_reference(
    tables: Mapping[str, pd.DataFrame], schema: ClientSchema, as_of: Any
) -> ReferencePopulation:
    """Make the populations that ranks refer to, from the whole book.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of the schema, all clients in them.
    schema : ClientSchema
        Names, units and rules of time.
    as_of : date, str or sequence of them
        The dates; for each, the quantiles of the clients in the population then.

    Returns
    -------
    ReferencePopulation
        Dates increasing, whatever the order asked for.

    Raises
    ------
    SchemaError
        When a table cannot be brought into the schema's form; a missing column is named.
    DataError
        When a number of the tables is infinite.

    Examples
    --------
    >>> from clientscore.schema import ClientSchema
    >>> tables = {
    ...     "clients": pd.DataFrame({"client_id": ["a", "b"]}),
    ...     "statements": pd.DataFrame({
    ...         "client_id": ["a", "b"], "period_end": ["2024-12-31", "2024-12-31"],
    ...         "current_assets": [30.0, 10.0], "current_liabilities": [20.0, 20.0]}),
    ... }
    >>> reference = build_reference(tables, ClientSchema.default(), "2026-01-01")
    >>> reference.rank("current_ratio", np.array([1.0]), "2026-01-01")
    array([0.5])
    """
    dates = as_of_list(as_of)[0].sort_values()
    book = Book(tables, schema)
    grids = []
    for date in dates:
        view = book.view(date)
        grids.append(_reference_of(view, _ranked_levels(view)).grids[0])
    return ReferencePopulation(ranked_features(), tuple(dates), np.stack(grids))


def _reference_of(view: View, levels: dict[str, Numbers]) -> ReferencePopulation:
    """Take the quantiles of the population of one view."""
    features = ranked_features()
    grid = quantile_grid(levels, view.member, features)
    return ReferencePopulation(features, (view.as_of,), grid[np.newaxis])


def _ranked_levels(view: View) -> dict[str, Numbers]:
    """Compute the pillars that hold ranked features."""
    with np.errstate(over="ignore", invalid="ignore"):
        facts = financial_features(view)
        return _finite(facts.features | market_features(view, facts))


def _levels(view: View) -> dict[str, Numbers]:
    """Compute every feature of a view but the ranks."""
    with np.errstate(over="ignore", invalid="ignore"):
        facts = financial_features(view)
        credit, lending = credit_features(view, facts.debt)
        relationship = relationship_features(view, facts.revenue, lending.limit_amount)
        return _finite(facts.features | credit | market_features(view, facts) | relationship)


def _finite(levels: dict[str, Numbers]) -> dict[str, Numbers]:
    """Make missing what overflowed; inputs are finite, so only a difference of extreme amounts can."""
    for values in levels.values():
        values[np.isinf(values)] = np.nan
    return levels


def _block(levels: dict[str, Numbers], columns: tuple[str, ...], n_clients: int) -> Numbers:
    """Lay the features out in the order of the columns, shape (n_columns, n_clients)."""
    block = np.full((len(columns), n_clients), np.nan)
    for row, name in enumerate(columns):
        if name in levels:
            block[row] = levels[name]
    return block
