# Thin targets over commands that you can type yourself; each makes .venv first, from Python 3.11+ alone.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-compile -q
unexport PYTHONDONTWRITEBYTECODE  # containers set it, and then every kernel would compile all that it imports
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 tests

.PHONY: help book pdf test test-all lab clean distclean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

book: .venv/.ready  ## make the corpus, run every notebook, build the book
	$(BIN)/nca book

pdf: book  ## the book on one page and, where Chromium is, as a PDF
	$(BIN)/nca pdf

test: .venv/.ready  ## linters, types, declared dependencies and the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry nca
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format --force-filetype yaml CITATION.cff
	$(PYTEST) -m "not slow and not browser"

test-all: test  ## the slow and the browser tests as well
	$(PYTEST) -m "(slow or browser) and not timing"
	OMP_NUM_THREADS=1 $(BIN)/pytest -m timing tests

lab: .venv/.ready  ## JupyterLab, where a double click on a page opens it as a notebook
	$(BIN)/jupyter lab --ServerApp.root_dir=$(CURDIR) --ServerApp.preferred_dir=$(CURDIR)/notebooks \
	--ServerApp.kernel_manager_class=nca.pages.lab.RootKernels $(if $(filter 0,$(shell id -u)),--allow-root)

clean:  ## remove what was made: corpus, store, runs, results, book
	rm -rf data store executed results _build

distclean: clean  ## remove .venv as well
	rm -rf .venv

# The stamps are written last, so an installation that was cut short is started over, never taken for whole.
.venv/.requirements: requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Python %d.%d is too old: \
	give 3.11 or newer, as in make PYTHON=python3.13." % v[:2])'
	@echo "Making .venv: packages of some 2 GB, which takes minutes; later calls find them there."
	@$(PYTHON) -m venv --clear .venv
	@echo "  torch ..."
	@$(PIP) $$(grep '^torch==' requirements.lock)
	@echo "  the other $$(grep -c '==' requirements.lock) packages ..."
	@$(PIP) -r requirements.lock
	@touch $@

.venv/.ready: .venv/.requirements pyproject.toml
	$(PIP) --no-deps -e .
	$(BIN)/jupytext-config --settings-file .venv/share/jupyter/lab/settings/overrides.json set-default-viewer markdown myst
	touch $@
