# Thin targets over commands that you can type yourself; each makes .venv first, from Python 3.11+ alone.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 tests

.PHONY: help book test test-all lab clean distclean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

book: .venv/.ready  ## make the corpus, run every notebook, build the book
	$(BIN)/nca book

test: .venv/.ready  ## lint, types and the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow and not browser"

test-all: test  ## the slow and the browser tests as well
	$(PYTEST) -m "(slow or browser) and not timing"
	OMP_NUM_THREADS=1 $(BIN)/pytest -m timing tests

lab: .venv/.ready  ## JupyterLab on the text notebooks
	$(BIN)/jupyter lab --ServerApp.root_dir=notebooks --MappingKernelManager.root_dir=$(CURDIR)

clean:  ## remove what was made: corpus, store, runs, results, book
	rm -rf data store executed results _build

distclean: clean  ## remove .venv as well
	rm -rf .venv

# The stamps are written last, so an installation that was cut short is started over, never taken for whole.
.venv/.requirements: requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Python %d.%d is too old: \
	give 3.11 or newer, as in make PYTHON=python3.13." % v[:2])'
	$(PYTHON) -m venv --clear .venv
	$(PIP) $$(grep '^torch==' requirements.lock)
	$(PIP) -r requirements.lock
	touch $@

.venv/.ready: .venv/.requirements pyproject.toml
	$(PIP) --no-deps -e .
	touch $@
