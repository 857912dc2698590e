"""Strategy against its peers: allocation, rules, the checker of policies, effects, mail.

Run ``OMP_NUM_THREADS=1 CLIENTSCORE_DATA=/path/to/data python benchmarks/strategy.py all --write`` in the
environment for development. ``allocation`` and ``rules`` are bar 1 (linear program, greedy choice and, where
it is installed, zen-engine in the same run), ``seeds`` bar 2, ``hillstrom`` bar 3, ``checker`` bar 4.

A part is a module of ``strategy_parts`` of the same name, imported only when it is asked for:

- ``run(page, options)`` measures, adds sections to the page (``page.add``, ``common.page.add_lines``) and
  calls ``page.bar(what, figure, met)`` for each bar, `met` None where it could not be measured. It returns
  None, or the rows of a reading of a test period (see ``common.repository.log_readings``), which are logged
  with ``--final`` only;
- ``add_options(arguments)``, if it is there, adds options of its own to the command line. ``--quick``,
  ``--seeds``, ``--jobs``, ``--data`` and ``--cache`` are everybody's.

A part whose module is not there is left out of ``all``, and the page says so.
"""

from __future__ import annotations

import argparse
import importlib
import os
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from common.command import clean_commit, publish, run_parts
from common.page import Page
from common.repository import REPOSITORY

if TYPE_CHECKING:
    from types import ModuleType

PAGE = REPOSITORY / "docs" / "benchmarks" / "strategy.md"
SOURCE = "benchmarks/strategy.py"
PARTS = ("allocation", "rules", "checker", "seeds", "hillstrom")
PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "zen-engine", "econml")


def main() -> None:
    """Run what is asked for, print the page, and write it where wanted."""
    modules = {name: importlib.import_module(f"strategy_parts.{name}") for name in there()}
    options = read_options(modules)
    commit, page = clean_commit(options), Page("Strategy, measured")
    run = {part: modules[part].run if part in modules else partial(say_absent, part) for part in PARTS}
    run_parts(page, options, run, source=SOURCE, commit=commit)
    publish(page, options, PAGE, source=SOURCE, commit=commit, packages=PACKAGES)


def say_absent(part: str, page: Page, options: argparse.Namespace) -> None:
    """Say on the page that a part has no module."""
    del options
    page.bar(part, "the part is not there", met=None)


def there() -> list[str]:
    """Return the parts whose modules exist; one that exists and cannot be imported is an error."""
    return [name for name in PARTS if find_spec(f"strategy_parts.{name}") is not None]


def read_options(modules: dict[str, ModuleType]) -> argparse.Namespace:
    """Return the options of the command line, those of the parts included."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("what", nargs="?", default="all", choices=(*PARTS, "all"))
    arguments.add_argument("--parts", help="parts, with commas between; default all, or the one named")
    arguments.add_argument("--seeds", type=int, default=1_000, help="seeds of the simulated book")
    arguments.add_argument("--final", action="store_true", help="read the test periods, and log it")
    arguments.add_argument("--jobs", type=int, default=1, help="runs side by side")
    arguments.add_argument("--quick", action="store_true", help="few rows, seeds and policies")
    arguments.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    arguments.add_argument("--data", default=os.environ.get("CLIENTSCORE_DATA", "../shared/data"))
    arguments.add_argument("--cache", default="out/benchmarks/strategy-cache")
    for module in modules.values():
        if hasattr(module, "add_options"):
            module.add_options(arguments)
    options = arguments.parse_args()
    named = PARTS if options.what == "all" else (options.what,)
    options.parts = options.parts.split(",") if options.parts else list(named)
    unknown = {*options.parts} - {*PARTS}
    if unknown:
        arguments.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    main()
