# Developer commands. Run `make` to list them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_SERVE := $(VENV)/.installed-serve
INSTALLED_BENCH := $(VENV)/.installed-bench
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
AUDIT := build/audit
SUITE ?= quick
REPORTS ?= $(if $(LEVY_MARKET_DATA),--quotes $(LEVY_MARKET_DATA)/spx_cboe_2019)
SOURCES := libs services tests
# One test process per core, at most four, because each imports the numerical libraries.
# Each process begins with its own part of the files, so that few import TensorFlow or PyMC.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(PYTEST_OPTIONS)

.PHONY: help setup run test quick test-all check check-prices format lint types contracts manifests system audit docs notebooks bench optimum load overload slow-clients faults worker-memory sbc posteriors networks train real-quotes following whole-surfaces coverage posterior-coverage reports extras clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
	  | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## install everything into .venv

# $(call install,EXTRA): installs the project with an extra into .venv, which is created if absent.
define install
@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
  || { echo "Python 3.11 to 3.13 is required: make PYTHON=/path/to/python3.13" >&2; exit 1; }
test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
@echo "Installing the extra '$(1)' into $(VENV)"
$(PIP_INSTALL) -e ".[$(1)]"
$(BIN)/python -m levy_numerics.precompile
@touch $@
endef

$(INSTALLED): pyproject.toml constraints.txt
	$(call install,dev)
	@touch $(INSTALLED_SERVE) # the extra dev contains serve

$(INSTALLED_SERVE): pyproject.toml constraints.txt
	$(call install,serve)

$(INSTALLED_BENCH): $(INSTALLED)
	$(PIP_INSTALL) -e ".[bench]"
	@touch $@

run: $(INSTALLED_SERVE) ## start the engine on this machine: make run PORT=8000
	@exec $(BIN)/levy serve --port $(PORT)

test: setup ## run all tests except slow, system and nightly ones
	$(PYTEST)

quick: setup ## run the tests of `make test` that are not marked long
	$(PYTEST) -m "not (long or slow or system or nightly)"

test-all: setup ## run all tests except the nightly ones, including slow tests and system tests
	$(PYTEST) -m "not nightly"

check: setup ## run the checks required before each push: format, lint, types, contracts, quick
	@$(MAKE) --output-sync -j2 format lint types contracts quick

format: setup ## check the format (ruff)
	$(BIN)/ruff format --check .

lint: setup ## run the linter (ruff)
	$(BIN)/ruff check .

types: setup ## check the types (mypy, strict)
	$(BIN)/mypy

contracts: setup ## check import-layer contracts (import-linter)
	$(BIN)/lint-imports --no-logo

docs: setup ## build the documentation site into build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build --strict

notebooks: setup ## run the notebooks of docs/notebooks; `make docs` shows their outputs
	$(BIN)/python -m docs.site.execute

manifests: setup ## generate the Grafana dashboards and the PrometheusRule manifest
	$(BIN)/python -m grafana
	$(BIN)/python -m k8s

system: setup ## build the images, start the Compose stack and run its tests; TESTS= selects tests
	@PYTHON=$(BIN)/python deploy/system $(TESTS)

audit: $(AUDIT)/.installed ## scan for secrets and vulnerable dependencies; write SBOMs to build/bom
	BIN=$(AUDIT)/bin deploy/audit

$(AUDIT)/.installed: constraints.txt
	"$(PYTHON)" -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt \
	  cyclonedx-bom detect-secrets pip-audit
	@touch $@

bench: $(INSTALLED_BENCH) ## compare speed and accuracy with other libraries; writes build/bench.json
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks $(BENCH)

optimum: setup ## compare default fits with the best of 50 starts; LEVY_MARKET_DATA adds real quotes
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.optimum $(OPTIMUM)

check-prices: setup ## compare stated and true price errors; writes docs/accuracy.md; CHECK_PRICES= sets options
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.check_prices \
	  $(or $(CHECK_PRICES),--page docs/accuracy.md)

load: setup ## measure throughput and latency against an empty two-hop baseline; writes build/load.json
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.load $(LOAD)

faults: setup ## break each part of levy serve while jobs run; writes the table of docs/operations.md; FAULTS= sets options
	$(BIN)/python -m tests.benchmarks.faults $(or $(FAULTS),--page docs/operations.md)

worker-memory: setup ## run jobs of random sizes, models and engines on one worker; WORKER_MEMORY="--jobs 200"
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.worker_memory $(WORKER_MEMORY)

overload: setup ## measure overload and fairness between callers; writes build/overload.json; 20 minutes
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.load.overload $(OVERLOAD)

slow-clients: setup ## measure slow clients and large headers; writes build/slow-clients.json
	$(BIN)/python -m tests.load.slow_clients $(SLOW_CLIENTS)

posteriors: setup ## sample posteriors with every engine; writes docs/bayesian.md; 30 minutes
	$(BIN)/python -m tests.benchmarks.posteriors

sbc: setup ## run simulation-based calibration (SBC); writes docs/posterior-checks.md; hours
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.sbc $(SBC)

networks: setup ## measure the trained networks out of sample; writes docs/network-accuracy.md
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.network_accuracy $(NETWORKS)

real-quotes: setup ## fit real quotes; writes docs/real-quotes.md; requires LEVY_MARKET_DATA
	$(BIN)/python -m tests.benchmarks.real_quotes

posterior-coverage: setup ## measure posteriors on real quotes; writes docs/posterior-coverage.md; needs LEVY_MARKET_DATA
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.posterior_coverage $(POSTERIOR_COVERAGE)

coverage: setup ## measure the coverage of intervals; writes docs/coverage.md; COVERAGE= sets options; an hour
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.coverage $(COVERAGE)

reports: setup ## validate the models that have networks; writes docs/validation-reports.md and model cards; SUITE=all, REPORTS= set options
	for model in VarianceGamma NIG CGMY Merton; do \
	  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/levy validate --model $$model --suite $(SUITE) \
	    --out build/validation/$$model $(REPORTS) && \
	  $(BIN)/levy registry card set --model $$model --report build/validation/$$model/validation.json || exit 1; done
	$(BIN)/python -m tests.benchmarks.validation_reports build/validation

following: setup ## compare filters with warm starts on real days; writes docs/following.md; requires LEVY_MARKET_DATA
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.following

whole-surfaces: setup ## fit real surfaces with every model; writes docs/whole-surfaces.md; requires LEVY_MARKET_DATA
	$(BIN)/python -m tests.benchmarks.whole_surfaces

train: setup ## regenerate the data sets and retrain all networks into build/trained; 90 minutes
	BIN=$(BIN) deploy/training/all build/data build/trained

extras: ## check that each extra installs and imports on its own; EXTRAS= selects extras
	@PYTHON="$(PYTHON)" .ci/extras $(EXTRAS)

clean: ## remove build outputs, caches and the virtual environment
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .schemathesis
	find libs -name '*.nb[ic]' -delete
