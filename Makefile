# Caravan's commands. `make run` and `make test` prepare everything they need by themselves.
SHELL := /bin/bash
PYTHON ?= python3
GPU ?=
export GPU
BIN := .venv/bin

# Long enough for a hundred thousand inputs on two cores.
FUZZ_S ?= 1200

.PHONY: help run test check bench fuzz upgrade-runtime format clean translations

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

run: ## Open the store on this machine (GPU=cuda|metal|vulkan|hip to build for a GPU)
	@$(PYTHON) tools/prepare.py run
	@exec $(BIN)/python -m marketplace serve

test: ## Run the whole suite on SQLite and on PostgreSQL, with a real browser
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python tools/suite.py

check: ## Format, lint, types, floors and templates
	@$(PYTHON) tools/prepare.py check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint marketplace/templates --lint --quiet

format: ## Put every file into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: ## Run every benchmark; each ends with one line of JSON
	@$(PYTHON) tools/prepare.py test
	@for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

fuzz: ## Try the properties marked `fuzz` for FUZZ_S seconds in all, and count their inputs
	@$(PYTHON) tools/prepare.py test
	CARAVAN_HYPOTHESIS=fuzz CARAVAN_FUZZ_S=$(FUZZ_S) $(BIN)/python -m pytest -q -m fuzz -p tests.fuzzing --timeout 3600 tests

upgrade-runtime: ## Upgrade what the sandbox runs on, if the escape suite stays green (TO="wasmtime==51.0.0")
	@$(PYTHON) tools/prepare.py test
	@$(BIN)/python tools/upgrade.py $(TO)

translations: ## Extract messages and bring every language's catalogue up to date
	$(BIN)/pybabel -q extract -F babel.cfg --no-location --sort-output --omit-header -k _ -k ngettext:1,2 -k noted -o marketplace/translations/messages.pot .
	$(BIN)/pybabel -q update -i marketplace/translations/messages.pot -d marketplace/translations -N --omit-header --previous
	rm marketplace/translations/messages.pot

clean: ## Remove what was built, but not the store's data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build
