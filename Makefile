# What a person does with a checkout. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_BENCH := $(VENV)/.installed-bench
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
AUDIT := build/audit
SOURCES := libs services tests
# One test process a core, up to four: each imports the numerics anew.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4

.PHONY: help setup run test test-all check check-prices format lint types contracts manifests system audit bench load sbc posteriors networks train real-quotes whole-surfaces extras clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
	  | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## install everything into .venv

$(INSTALLED): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "Python 3.11 is needed: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(PIP_INSTALL) -e ".[dev]"
	$(BIN)/python -m levy_numerics.precompile
	@touch $@

$(INSTALLED_BENCH): $(INSTALLED)
	$(PIP_INSTALL) -e ".[bench]"
	@touch $@

run: setup ## serve the engine on one machine: make run PORT=8000
	@exec $(BIN)/levy serve --port $(PORT)

test: setup ## fast tests
	$(PYTEST)

test-all: setup ## every test but the nightly ones: full sizes, and the composed stack from outside
	$(PYTEST) -m "not nightly"

check: format lint types contracts test ## what must pass before a change lands

format: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup ## mypy, strict
	$(BIN)/mypy

contracts: setup ## who leans on whom, drawn from the imports
	$(BIN)/lint-imports --no-logo

manifests: setup ## write the dashboards, and the rules for Prometheus' operator, from their sources
	$(BIN)/python -m grafana
	$(BIN)/python -m k8s

system: setup ## build the images, start the composed stack, test it from outside; TESTS= some alone
	@PYTHON=$(BIN)/python deploy/system $(TESTS)

audit: $(AUDIT)/.installed ## secrets in git, bills of materials into build/bom, advisories on what is pinned
	BIN=$(AUDIT)/bin deploy/audit

$(AUDIT)/.installed: constraints.txt
	"$(PYTHON)" -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt \
	  cyclonedx-bom detect-secrets pip-audit
	@touch $@

bench: $(INSTALLED_BENCH) ## speed and accuracy beside other libraries; writes build/bench.json
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks $(BENCH)

check-prices: setup ## compare stated with true price errors, into docs/accuracy.md; CHECK_PRICES= for other options
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.check_prices \
	  $(or $(CHECK_PRICES),--page docs/accuracy.md)

load: setup ## what the gateway and calibration bear, beside doing nothing; writes build/load.json
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.load $(LOAD)

posteriors: setup ## posteriors by every engine and of real quotes, into docs/bayesian.md; half an hour
	$(BIN)/python -m tests.benchmarks.posteriors

sbc: setup ## are posteriors honest? simulated surfaces, into docs/posterior-checks.md; hours
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.sbc $(SBC)

networks: setup ## what trained networks propose, into docs/network-accuracy.md; real quotes with LEVY_MARKET_DATA
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.network_accuracy $(NETWORKS)

real-quotes: setup ## fit real quotes, into docs/real-quotes.md; needs LEVY_MARKET_DATA
	$(BIN)/python -m tests.benchmarks.real_quotes

whole-surfaces: setup ## fit real surfaces by every model, into docs/whole-surfaces.md; the same
	$(BIN)/python -m tests.benchmarks.whole_surfaces

train: setup ## make data sets and train every network again, into build/trained; an hour and a half
	BIN=$(BIN) deploy/training/all build/data build/trained

extras: ## install each service's extra alone and import its entry point; EXTRAS= some alone
	@PYTHON="$(PYTHON)" .ci/extras $(EXTRAS)

clean: ## remove what was built, compiled and installed
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .schemathesis
	find libs -name '*.nb[ic]' -delete
