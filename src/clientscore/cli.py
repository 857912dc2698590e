"""The command ``clientscore``: demo, simulate, validate, fit, score.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 more rows rejected than allowed.
"""

from __future__ import annotations

import errno
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from clientscore._checks import check_columns
from clientscore._files import replacing
from clientscore.assessment import ClientModel
from clientscore.bundle import load_model, save_model
from clientscore.datasets import load_sample, make_portfolio, write_portfolio
from clientscore.exceptions import (
    ClientScoreError,
    DataError,
    DataNotFoundError,
    InvalidParameterError,
    RejectedTooMuchError,
)
from clientscore.labels import ExitRules
from clientscore.report import portfolio as write_report
from clientscore.schema import ClientSchema, read_tables, validate_clients
from clientscore.signals import SignalRules
from clientscore.timeline import add_periods, as_of_list, data_end
from clientscore.validation import out_of_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clientscore.schema import ValidationReport

app = typer.Typer(
    help="Scores, tiers, needs, churn risk and service plans for the corporate clients of a lender.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_FUTURES = 200  # futures averaged to the true means

Folder = Annotated[Path, typer.Argument(help="Folder with one Parquet or CSV file a table.", exists=True)]
SchemaFile = Annotated[Path | None, typer.Option("--schema", help="TOML file with your column names.")]
MaxShare = Annotated[float, typer.Option(help="Largest share of rows that may be rejected.", min=0, max=1)]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
Decimal = Annotated[str, typer.Option(help="Decimal mark of numbers in CSV files.")]
Thousands = Annotated[str, typer.Option(help="Mark between thousands in CSV files.")]
Encoding = Annotated[str, typer.Option(help="Encoding of CSV files; gb18030 for older Chinese exports.")]


def _date(text: str | None) -> str | None:
    """Return the date as given; what is no date, or may be several, is wrong usage."""
    try:
        if text is not None:
            as_of_list(text)
    except ClientScoreError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _dates(texts: list[str] | None) -> list[str] | None:
    for text in texts or ():
        _date(text)
    return texts


AsOf = Annotated[str, typer.Option("--as-of", help="Date of the assessment, YYYY-MM-DD.", callback=_date)]


def main() -> None:
    """Run the command; errors of ours end in one message and an exit code, without a traceback."""
    try:
        app()
    except RejectedTooMuchError as error:
        _complain(f"{error}\nTo list them: clientscore validate FOLDER --rejects rejects.parquet")
        sys.exit(3)
    except ClientScoreError as error:
        _complain(str(error))
        sys.exit(1)
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}. Check the path, its folder and who may write there.")
        sys.exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    sample: Annotated[Path | None, typer.Option(help="Folder of the sample book.")] = None,
    seed: Seed = 0,
) -> None:
    """Run the whole chain on the sample book and write its assessment, model and report."""
    console, clock = _console(), _Clock()
    clock.say("reading the sample book")
    tables = load_sample(sample)
    schema = ClientSchema.default()
    checked = validate_clients(tables, schema)
    _show(console, "Validation", checked.counts)
    model = ClientModel(schema=schema, n_jobs=2, random_state=seed)
    end = data_end(checked.accepted, schema.publication_lag_days)
    test_as_of = add_periods(end, -13, schema.period)
    clock.say(f"fitting on what was known by {test_as_of:%Y-%m-%d}, judging on the year after")
    oracle = _oracle(tables, test_as_of)
    if oracle is None:
        clock.say("this is not the simulator's sample book: its true law is not known")
    tested = out_of_time(model, checked.accepted, test_as_of, oracle=oracle)
    _show(console, f"Out of time at {test_as_of:%Y-%m-%d}", _beside_baseline(tested.frame()), parts="head")
    clock.say("fitting on the whole history")
    model.fit(checked.accepted)
    clock.say(f"assessing every client at {end:%Y-%m-%d}")
    result = model.assess(checked.accepted, as_of=end)
    _show(console, "Forecast rates of the next year, with 95 % intervals", result.rates)
    _show(console, "The book by tier", result.summary().reset_index())
    _show(console, "Early warning, clients by side", result.early_warning().reset_index())
    _show_calls(console, result.call_first(10))
    out.mkdir(parents=True, exist_ok=True)
    result.to_parquet(out / "assessments.parquet")
    save_model(model, out / "model.clientscore")
    write_report(result, out / "portfolio.html", figures=tested.frame())
    clock.say(f"wrote assessments.parquet, model.clientscore and portfolio.html to {out}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write the tables to.")],
    clients: Annotated[int, typer.Option(help="Number of clients at the start.", min=1)] = 1200,
    months: Annotated[int, typer.Option(help="Months of history.", min=1)] = 72,
    seed: Seed = 0,
) -> None:
    """Write a simulated book: one Parquet file a table."""
    clock = _Clock()
    clock.say(f"simulating {clients:,} clients over {months} months")
    write_portfolio(make_portfolio(n_clients=clients, n_months=months, random_state=seed), out)
    clock.say(f"wrote the tables to {out}")


@app.command()
def validate(
    folder: Folder,
    schema: SchemaFile = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Rows dated later are rejected.", callback=_date)
    ] = None,
    rejects: Annotated[Path | None, typer.Option(help="Parquet file for the rejected rows.")] = None,
    max_reject_share: MaxShare = 1.0,
    decimal: Decimal = ".",
    thousands: Thousands = "",
    encoding: Encoding = "utf-8-sig",
) -> None:
    """Check a folder of tables against the schema; every row is accepted or listed with its fault."""
    console = _console()
    chosen = _schema(schema)
    _check_writable(rejects)
    tables = read_tables(folder, chosen, decimal=decimal, thousands=thousands, encoding=encoding)
    checked = validate_clients(tables, chosen, as_of=as_of)
    _show_validation(console, checked)
    if rejects is not None:
        with replacing(rejects) as temporary:
            checked.rejects.astype("str").to_parquet(temporary, index=False)
    checked.raise_if(max_share=max_reject_share)


@app.command()
def fit(
    folder: Folder,
    model: Annotated[Path, typer.Option(help="File to write the model to.")] = Path("model.clientscore"),
    schema: SchemaFile = None,
    as_of: Annotated[
        list[str] | None, typer.Option("--as-of", help="Training date; repeat for more.", callback=_dates)
    ] = None,
    exit_rules: Annotated[
        Path | None, typer.Option(help="TOML file that says what counts as leaving without an event.")
    ] = None,
    signal_rules: Annotated[
        Path | None, typer.Option(help="TOML file with changed or added early-warning signals.")
    ] = None,
    max_reject_share: MaxShare = 0.2,
    decimal: Decimal = ".",
    thousands: Thousands = "",
    encoding: Encoding = "utf-8-sig",
    seed: Seed = 0,
) -> None:
    """Fit the model on a folder of tables and write it to one file."""
    clock = _Clock()
    chosen = _schema(schema)
    _check_writable(model)
    unfitted = ClientModel(
        schema=chosen,
        exit_rules=None if exit_rules is None else ExitRules.from_toml(exit_rules),
        signal_rules=None if signal_rules is None else SignalRules.from_toml(signal_rules),
        n_jobs=2,
        random_state=seed,
    )
    tables = read_tables(folder, chosen, decimal=decimal, thousands=thousands, encoding=encoding)
    tables = _accepted(tables, chosen, max_reject_share)
    clock.say("fitting")
    fitted = unfitted.fit(tables, as_of=as_of or None)
    save_model(fitted, model)
    clock.say(f"wrote model {fitted.model_version_} to {model}")


@app.command()
def score(
    folder: Folder,
    as_of: AsOf,
    model: Annotated[Path, typer.Option(help="File of the model.")] = Path("model.clientscore"),
    out: Annotated[Path, typer.Option(help="Parquet file to write.")] = Path("assessments.parquet"),
    html: Annotated[Path | None, typer.Option("--report", help="HTML file for the report.")] = None,
    previous: Annotated[Path | None, typer.Option(help="Assessments of earlier runs, Parquet.")] = None,
    signals: Annotated[
        Path | None, typer.Option(help="Parquet file for every signal of every client.")
    ] = None,
    max_reject_share: MaxShare = 0.2,
    decimal: Decimal = ".",
    thousands: Thousands = "",
    encoding: Encoding = "utf-8-sig",
) -> None:
    """Assess every client of a folder of tables at one date."""
    console, clock = _console(), _Clock()
    _check_writable(out, html, signals)
    fitted, earlier = _load(model), _earlier(previous)
    tables = read_tables(folder, fitted.schema_, decimal=decimal, thousands=thousands, encoding=encoding)
    tables = _accepted(tables, fitted.schema_, max_reject_share)
    clock.say(f"assessing at {as_of}")
    result = fitted.assess(tables, as_of=as_of, previous=earlier)
    result.to_parquet(out)
    if signals is not None and result.signals is not None:
        with replacing(signals) as temporary:
            result.signals.to_parquet(temporary, index=False)
    if html is not None:
        write_report(result, html)
    _show(console, f"{len(result):,} clients by tier", result.summary().reset_index())
    clock.say(f"wrote {out}" + (f" and {html}" if html is not None else ""))


def _oracle(tables: Mapping[str, pd.DataFrame], as_of: pd.Timestamp) -> pd.DataFrame | None:
    """Return the true means of the sample book at a date; None where the tables are another book."""
    book = make_portfolio(random_state=0)
    if not book.tables["clients"].equals(tables["clients"]):
        return None
    means = book.truth.futures(as_of, _FUTURES, random_state=1).mean()
    return means.assign(pd=means["pd_smooth"])  # the same mean with less noise for one client


def _console() -> Console:
    """Return the place to print to; a log gets lines wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=110)


class _Clock:
    """Says what is done and how long it has taken so far, on the error stream."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.console = Console(stderr=True)

    def say(self, step: str) -> None:
        """Print one step."""
        self.console.print(f"[{time.perf_counter() - self.start:6.1f} s] {step}", markup=False)


def _schema(path: Path | None) -> ClientSchema:
    return ClientSchema.default() if path is None else ClientSchema.from_toml(path)


def _check_writable(*paths: Path | None) -> None:
    """Raise, before the work and not after it, where a result could not be written."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a folder, give a file", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error


def _load(path: Path) -> ClientModel:
    """Return the model of a whole book; a saved head alone cannot assess tables."""
    model = load_model(path)
    if not isinstance(model, ClientModel):
        raise InvalidParameterError(
            f"{path} holds a {type(model).__name__}; score needs a ClientModel. Fit one: clientscore fit."
        )
    return model


def _earlier(path: Path | None) -> pd.DataFrame | None:
    """Return the tiers of earlier runs."""
    if path is None:
        return None
    try:
        earlier = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"There are no earlier assessments at {path}.") from error
    except ValueError as error:  # pyarrow's errors are ValueErrors
        raise DataError(f"{path} is no Parquet file. Give what an earlier score wrote.") from error
    check_columns(earlier.columns, ("client_id", "as_of", "tier"), subject=f"The file {path}")
    return earlier[["client_id", "as_of", "tier"]]


def _accepted(
    tables: Mapping[str, pd.DataFrame], schema: ClientSchema, max_share: float
) -> dict[str, pd.DataFrame]:
    """Return the rows that keep the rules; raise where too many do not, and say how many did not."""
    checked = validate_clients(tables, schema)
    checked.raise_if(max_share=max_share)
    if len(checked.rejects):
        _show(Console(stderr=True), "Rejected rows are left out", checked.counts)
    return dict(checked.accepted)


def _show_validation(console: Console, checked: ValidationReport) -> None:
    _show(console, "Rows", checked.counts)
    if len(checked.rejects):
        rules = checked.rejects.groupby(["table", "column", "rule"], dropna=False).size()
        _show(console, "Faults", rules.rename("rows").reset_index())
    if len(checked.notes):
        _show(console, "Notes", checked.notes)


def _beside_baseline(figures: pd.DataFrame) -> pd.DataFrame:
    """Return out-of-time figures for reading: the naive baseline with its name, then the true law."""
    named = [
        f"{_cell(value)} {name}" if name else "-"
        for value, name in zip(figures["baseline"], figures["baseline_name"], strict=True)
    ]
    shown = figures[["head", "measure", "model"]].assign(**{"naive baseline": named})
    return shown.assign(**{"true law": figures["oracle"], "n": figures["n"]})


def _show_calls(console: Console, calls: pd.DataFrame) -> None:
    """Print the clients to call first, each with its actions, their worth and the reason."""
    console.print("[italic]Call first[/italic]")
    for place, call in enumerate(calls.to_dict("records"), start=1):
        who = f"{call['client_id']}, {call['industry']}, tier {call['tier']}"
        console.print(
            f"{place:>3}. {who}: {call['actions']}, worth {_cell(call['action_value'])}", markup=False
        )
        console.print(f"     {call['strategy_reason']}", markup=False, style="dim")


def _show(console: Console, title: str, frame: pd.DataFrame, *, parts: str = "") -> None:
    """Print a frame as a table, with a line between the values of the column `parts`."""
    table = Table(title=title, title_justify="left")
    for name in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(str(name).replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    ends = frame[parts].ne(frame[parts].shift(-1)) if parts else pd.Series(data=False, index=frame.index)
    for row, end in zip(frame.itertuples(index=False), ends, strict=True):
        table.add_row(*(_cell(value) for value in row), end_section=bool(end))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None or pd.isna(value):
        return "-"
    if isinstance(value, float):
        if abs(value) >= 1e5:
            return f"{value / 1e6:,.1f} m"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _complain(text: str) -> None:
    """Print an error; a line of it stays a line in a log."""
    Console(stderr=True, soft_wrap=True).print(text, style="red", markup=False, highlight=False)


if __name__ == "__main__":
    main()
