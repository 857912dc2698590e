# clientscore: the commands. On a machine with python3.11 (or newer), pip and make: `make demo` or `make test`.
# The first run sets up .venv from the hash-locked requirements; later runs find it ready.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Tests run in $(WORKERS) processes, so each keeps to one thread.
TEST_ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MPLBACKEND=Agg
PYTEST := $(TEST_ENV) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -rs --durations=10 --durations-min=5

.PHONY: help setup demo test test-slow lint types format build lock clean

help:  ## list the commands
	@echo "clientscore: make <command>"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY)  ## set up .venv from requirements/dev.lock (done by the other commands)

demo: $(READY)  ## set up, then run the whole chain on the sample book; writes out/
	@echo "== demo: the whole chain on the sample book, figures below, files in out/"
	@$(BIN)/clientscore demo

test: $(READY)  ## set up, then lint, types and tests with coverage (under 10 minutes)
	@echo "== lint: ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== types: mypy --strict"
	@$(BIN)/mypy
	@echo "== tests: pytest, $(WORKERS) processes, warnings are errors; 'make test-slow' runs the marked rest"
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=90

test-slow: $(READY)  ## set up, then the tests marked slow
	@echo "== slow tests: pytest -m slow, $(WORKERS) processes"
	@$(PYTEST) -m slow

lint: $(READY)  ## ruff only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)  ## mypy only
	@$(BIN)/mypy

format: $(READY)  ## put the source into its one form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

build: $(READY)  ## build the wheel and the source archive into dist/
	@$(BIN)/hatchling build -d dist

clean:  ## remove .venv, caches and build results; keeps out/
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*

# Maintainers only: needs uv on the PATH or in .venv. No index address is written into the locks.
UV ?= $(shell command -v uv || echo $(BIN)/uv)
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml
lock:  ## (maintainers, needs uv) renew requirements/*.lock; UPGRADE=1 takes the newest versions
	@$(COMPILE) $(if $(UPGRADE),--upgrade) -o requirements/base.lock >/dev/null
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/base.lock --extra report --group dev -o requirements/dev.lock >/dev/null
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.lock --extra report --group dev --group bench -o requirements/bench.lock >/dev/null
	@grep -c '==' requirements/*.lock

# The environment: one stamp for the locked packages, one for the package itself.
$(LOCKED): requirements/dev.lock
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is not on the PATH; clientscore needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "clientscore needs Python 3.11 or newer")'
	@echo "== setup: the packages of $< into $(VENV); one to three minutes, only when they change"
	@$(PYTHON) -m venv $(VENV)
	@set -o pipefail; started=$$SECONDS; \
	$(BIN)/python -m pip install --progress-bar off --no-deps --require-hashes -r $< 2>$(VENV)/pip-errors.log | { \
	  found=0; while read -r word rest; do case "$$word" in \
	    Collecting|Processing|Requirement) found=$$((found + 1)); [ $$((found % 20)) -ne 0 ] || echo "   $$found packages found";; \
	    Installing) echo "   $$found packages found, unpacking them";; \
	  esac; done; } || { cat $(VENV)/pip-errors.log >&2; exit 1; }; \
	echo "   ready after $$((SECONDS - started)) s"
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	@echo "== setup: clientscore itself, editable"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
