"""A book as Parquet files: writing one, and reading the sample that comes with the repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from clientscore._files import replacing
from clientscore.exceptions import DataNotFoundError

if TYPE_CHECKING:
    import pandas as pd

    from ._portfolio import Portfolio

SAMPLES_VARIABLE = "CLIENTSCORE_SAMPLES"
_HOME = Path(__file__).resolve().parents[3] / "data" / "samples"
_REPEATED = 0.2  # a column with fewer distinct values than this share of its rows gets a dictionary


def write_portfolio(portfolio: Portfolio, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the tables of a book, one Parquet file a table.

    The same tables give the same bytes with the same version of pyarrow: the files carry no date and no
    names of versions beyond the writer's own.

    Parameters
    ----------
    portfolio : Portfolio
        The book; only its tables are written, not its truth.
    folder : path-like
        Where to; made if missing. Files of the same name are replaced, each in one step.

    Returns
    -------
    list of Path
        The files, in the order of the tables.

    Examples
    --------
    >>> import tempfile
    >>> from clientscore.datasets import make_portfolio
    >>> files = write_portfolio(make_portfolio(20, 13), tempfile.mkdtemp())
    >>> files[0].name
    'clients.parquet'
    """
    paths = []
    for name, frame in portfolio.tables.items():
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        table = table.cast(pa.schema([_plain(column) for column in table.schema]))
        path = Path(folder) / f"{name}.parquet"
        repeated = [
            column for column in frame.columns if frame[column].nunique() < max(_REPEATED * len(frame), 1)
        ]
        split = [
            field.name
            for field in table.schema
            if pa.types.is_floating(field.type) and field.name not in repeated
        ]
        with replacing(path) as temporary:
            pq.write_table(
                table,
                temporary,
                compression="zstd",
                compression_level=12,
                use_dictionary=repeated,
                use_byte_stream_split=split,
                store_schema=False,
            )
        paths.append(path)
    return paths


def _plain(column: pa.Field) -> pa.Field:
    """Return the column with text as plain strings, whatever the pandas version keeps them in."""
    return column.with_type(pa.string()) if pa.types.is_large_string(column.type) else column


def load_sample(path: str | os.PathLike[str] | None = None) -> dict[str, pd.DataFrame]:
    """Load the sample book: 1,200 clients at a time over 72 months, 2020 to 2025.

    It is ``make_portfolio(1200, 72, 0)``, read from files: the tables without the truth.

    Parameters
    ----------
    path : path-like, optional
        A folder of Parquet files, one a table; None reads the environment variable ``CLIENTSCORE_SAMPLES``
        and, where it is not set, ``data/samples`` of the repository.

    Returns
    -------
    dict of str to DataFrame
        The tables.

    Raises
    ------
    DataNotFoundError
        The folder is not there, or has no ``clients.parquet``.
    """
    folder = Path(path or os.environ.get(SAMPLES_VARIABLE) or _HOME)
    files = sorted(folder.glob("*.parquet"))
    if not any(file.stem == "clients" for file in files):
        raise DataNotFoundError(
            f"The sample book must be a folder with clients.parquet and others; none in {str(folder)!r}. "
            f"Set {SAMPLES_VARIABLE} to the folder, or write one: clientscore simulate {str(folder)!r}."
        )
    return {file.stem: pq.read_table(file).to_pandas() for file in files}
