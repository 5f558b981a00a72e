# Every target sets up what it needs; a second run reuses it at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

PYTEST := $(BIN)/python -m pytest -q
# Tests side by side, one a core and at most four (each may start a Ray of its own); torch has one thread in each.
SIDE_BY_SIDE := OMP_NUM_THREADS=1 $(PYTEST) -n logical --maxprocesses 4

# Only these are read for the tests that run alone: looking through all of them takes longer than some of them do.
ALONE = $(shell grep -rlE 'mark\.alone' tests --include='test_*.py')

.PHONY: search test debian soak check format benchmark clean help

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("bench needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.12 ..." % sys.version_info[:2] if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

search: $(READY) ## search the FastViT family with built-in data (24 candidates)
	$(BIN)/bench search --space fastvit --budget 24 --rule "macs_g <= 1.5"

# What tests use from Debian, where it is missing and can be installed; elsewhere those tests say why they skip.
debian:
	@missing=""; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v tc >/dev/null || missing="$$missing iproute2"; \
	command -v adb >/dev/null || missing="$$missing adb"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then apt-get update -qq || true; \
	for package in $$missing; do echo "installing $$package"; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$package >/dev/null || echo "$$package cannot be installed here"; done; fi

test: $(READY) debian ## the whole test suite
	$(SIDE_BY_SIDE) --dist loadfile -m "not soak and not alone"
	$(PYTEST) -m "alone and not soak" $(ALONE)

soak: $(READY) debian ## the long forms of the tests
	$(SIDE_BY_SIDE) --dist load -m "soak and not alone" --timeout 3600
	$(PYTEST) -m "soak and alone" --timeout 3600 $(ALONE)

check: $(READY)  ## types, style, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(READY) ## a search against a plain loop, whether latencies can be believed, the latency model, scores without and with little training, proposals, remote runners, the dashboard (about three hours)
	$(BIN)/python -m tests.benchmarks.search_speed
	$(BIN)/python -m tests.benchmarks.latency_trust
	$(BIN)/python -m tests.benchmarks.latency_model --measure 120 --out results/latency_model.json
	$(BIN)/python -m tests.benchmarks.proxy_value --limit 2700
	$(BIN)/python -m tests.benchmarks.proposal_time
	$(BIN)/python -m tests.benchmarks.remote_overhead
	$(BIN)/python -m tests.benchmarks.hub_load
	$(BIN)/python -m tests.benchmarks.dashboard

clean:           ## remove the environment
	rm -rf $(VENV)
