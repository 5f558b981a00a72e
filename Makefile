# Every target sets up what it needs; a second run reuses it at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: search test soak check format benchmark clean help

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("bench needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.12 ..." % sys.version_info[:2] if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

search: $(READY) ## search the FastViT family with built-in data (24 candidates)
	$(BIN)/bench search --space fastvit --budget 24 --rule "macs_g <= 1.5"

test: $(READY)   ## the whole test suite
	$(BIN)/python -m pytest -q -m "not soak"

soak: $(READY)   ## the long forms of the tests
	$(BIN)/python -m pytest -q -m soak --timeout 3600

check: $(READY)  ## types, style, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(READY) ## where the time of a study goes, against a plain loop (about half an hour)
	$(BIN)/python -m tests.benchmarks.search_speed

clean:           ## remove the environment
	rm -rf $(VENV)
