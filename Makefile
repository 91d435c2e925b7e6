# Every command makes its own .venv with pinned versions; the second call is quick.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# A fit is milliseconds of small matrices: threads would only quarrel over the cores.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
COGGED := $(shell grep -l "\[\[\[cog" README.md docs/*.md)

.PHONY: help demo test lint format docs bench-fit bench-train readme clean
.DEFAULT_GOAL := help

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.run  ## predict a hidden run; teach a small model and count its bits
	@$(BIN)/kleiber demo

test: lint  ## all checks: lint, format, types, tests
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2

lint: $(VENV)/.dev  ## lint, format and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

format: $(VENV)/.dev  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs  ## build docs/_build/html
	$(BIN)/python -m sphinx --quiet --fail-on-warning --builder html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench-fit: $(VENV)/.dev  ## time the fit and the bootstrap
	$(ONE_THREAD) $(BIN)/python benchmarks/fit_speed.py

bench-train: $(VENV)/.dev  ## time the trainer against transformers' GPT-2
	$(BIN)/python benchmarks/train_speed.py

readme: $(VENV)/.dev  ## regenerate the printed outputs in the README and the docs
	$(BIN)/cog -r $(COGGED)

clean:  ## remove the environment, the caches and what the demo drew
	rm -rf $(VENV) build dist docs/_build kleiber-demo .benchmarks .hypothesis .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "kleiber needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/.made
	$(PIP) $(shell grep ^torch== requirements/run.txt)
	$(PIP) -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/reference.txt requirements/tokens.txt $(VENV)/.run
	$(PIP) -r requirements/dev.txt
	$(PIP) --no-deps -r requirements/tokens.txt
	@touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.dev
	$(PIP) -r requirements/docs.txt
	@touch $@
