"""What all tests share: one thread, no display, reproducible examples, and where public data lies."""

from __future__ import annotations

import os
from pathlib import Path

# Before anything loads numpy or lightgbm: tests run side by side, each on one thread, without a display.
for _name, _value in {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}.items():
    os.environ.setdefault(_name, _value)

import pytest  # noqa: E402 - the environment above comes first
from hypothesis import settings  # noqa: E402 - same

import clientscore as cs  # noqa: E402 - same; lazy, so a test of one room loads that room only

REPOSITORY = Path(__file__).resolve().parents[1]

# A red suite must stay red when run again: examples depend on the test alone, not on the hour.
settings.register_profile("clientscore", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("clientscore")


def _data_dir() -> Path:
    """Return the folder of public data: CLIENTSCORE_DATA, else ../shared/data beside the clone."""
    return Path(os.environ.get("CLIENTSCORE_DATA") or REPOSITORY.parent / "shared" / "data").resolve()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that reads public data, and skip it, saying why, where there is none."""
    folder = _data_dir()
    absent = pytest.mark.skip(reason=f"no public data in {folder}; set CLIENTSCORE_DATA to its folder")
    for item in items:
        if "real_data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real_data)
        if item.get_closest_marker("real_data") and not folder.is_dir():
            item.add_marker(absent)


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Return the folder of public data; tests that ask for it are skipped where it is absent."""
    return _data_dir()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def small_book() -> cs.datasets.Portfolio:
    """Return a simulated book of 200 clients over four years."""
    return cs.datasets.make_portfolio(n_clients=200, n_months=48, random_state=0)


@pytest.fixture(scope="session")
def small_model(small_book: cs.datasets.Portfolio) -> cs.ClientModel:
    """Return the default model fitted on the small book at three dates; tests must not change it."""
    return cs.ClientModel(random_state=0).fit(
        small_book.tables, as_of=["2021-07-01", "2022-01-01", "2022-07-01"]
    )


@pytest.fixture(scope="session")
def small_result(small_book: cs.datasets.Portfolio, small_model: cs.ClientModel) -> cs.Assessment:
    """Return the assessment of the small book at its end."""
    return small_model.assess(small_book.tables, as_of="2024-01-01")
