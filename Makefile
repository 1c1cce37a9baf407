SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What to serve: DATA is simulated, semesters, oulad or midfield; the last two need DATA_DIR.
DATA     ?= simulated
DATA_DIR ?=
STUDENTS ?= 4000
HOST     ?= 127.0.0.1
PORT     ?= 3000
DESK_PORT ?= 3100
# auto, cpu, cuda or tensorrt; auto unless BELLWETHER_PROVIDER says otherwise.
PROVIDER ?=
# gpu: ONNX Runtime with CUDA and TensorRT providers (runs on CPU too); cpu: the small build.
RUNTIME  ?= gpu

# No usage reports from here (records/usage_reports.py).
export BENTOML_DO_NOT_TRACK := True
export ORT_DISABLE_TELEMETRY := 1

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell command -v $(p))))
BIN    := .venv/bin
# Debian keeps PostgreSQL's own programs out of PATH; tests start a server of their own.
export PATH := $(PATH):$(subst $() ,:,$(wildcard /usr/lib/postgresql/*/bin))
ENV    := .venv/.ready-$(RUNTIME)
LOCK   := requirements/dev$(if $(filter cpu,$(RUNTIME)),-cpu).txt
RUN    := runs/$(DATA)
BUNDLE := build/bundles/$(DATA)
# Simulated students bring a desk with an invented institution along.
SERVE  := $(if $(filter simulated,$(DATA)),demo --desk-port $(DESK_PORT),serve)

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(ENV): $(LOCK) pyproject.toml
	@echo "Preparing .venv from $(LOCK) (about 1.3 GB of downloads the first time) …"
	@$(PYTHON) -c 'import sys; sys.exit("Bellwether needs Python 3.11 to 3.13; set PYTHON=/path/to/it" if not (3, 11) <= sys.version_info < (3, 14) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $(LOCK) | awk -v total="$$(grep -c == $(LOCK))" \
		'/^(Collecting|Requirement already)/ { printf "\r  package %d of at most %d", ++n, total; fflush() } \
		/^Installing/ { printf "\n  unpacking, about two minutes …"; fflush() } END { print "" }'
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation --no-index -e .
	@rm -f .venv/.ready-*; touch $@

env: $(ENV) ## Make the Python environment (RUNTIME=gpu|cpu)

$(RUN)/run.json: | $(ENV)
	@$(BIN)/bellwether train --data $(DATA) $(if $(DATA_DIR),--data-dir $(DATA_DIR)) --students $(STUDENTS) --out $(RUN) --overwrite --no-report

$(BUNDLE)/manifest.json: $(RUN)/run.json | $(ENV)
	@$(BIN)/bellwether export $(RUN) --out $(BUNDLE) --overwrite

train: $(RUN)/run.json ## Fit the models of DATA into runs/

report: $(RUN)/run.json ## Write the run's report: HTML, CSV, SVG and PNG
	@$(BIN)/bellwether report $(RUN)

pictures: $(RUN)/run.json ## Draw the documents' pictures from DATA's run
	@$(BIN)/python -m report.pictures $(RUN)

export: $(BUNDLE)/manifest.json ## Turn the run into a bundle, through the gate

serve: $(BUNDLE)/manifest.json ## From nothing to scoring service and desk (PORT, DESK_PORT, PROVIDER); with real DATA the service alone
	@$(BIN)/bellwether request $(RUN) --out build/$(DATA)-request.json
	@$(if $(PROVIDER),BELLWETHER_PROVIDER=$(PROVIDER)) $(BIN)/bellwether $(SERVE) $(BUNDLE) --host $(HOST) --port $(PORT) --request build/$(DATA)-request.json

# A real OpenID provider for the tests of sign-in; they skip where npm is absent.
OPENID := tests/access/provider
$(OPENID)/node_modules/.package-lock.json: $(OPENID)/package-lock.json
	@if command -v npm > /dev/null; then npm ci --prefix $(OPENID) --no-audit --no-fund --loglevel=error; fi

packages: ## Install the programs that tests use, where that is possible
	@.ci/packages

test: packages lint $(OPENID)/node_modules/.package-lock.json ## Lint, types, import rules and every test, with coverage
	@$(BIN)/pytest --numprocesses auto --dist loadfile --cov --cov-report=term

test-long: | $(ENV) ## The long forms of tests: 100 kills, 200 simulated terms, … (minutes)
	@$(BIN)/pytest --long -m long

test-fast: $(ENV) ## Lint and the tests that need no trained model and no server (two minutes)
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports > /dev/null
	@$(BIN)/pytest -q --numprocesses auto --fast

test-matrix: ## The fast tests on Python 3.11 to 3.13, and with the lowest versions allowed (ROUNDS=)
	@bash requirements/matrix $(ROUNDS)

fuzz: $(BUNDLE)/manifest.json ## Hostile inputs for SECONDS=300: bodies, heads, files, commands (SEED=)
	@$(BIN)/python -m tests.service.fuzz $(BUNDLE) $(if $(SEED),--seed $(SEED)) --seconds $(or $(SECONDS),300)

lint: $(ENV) ## Format, lint, types and import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(ENV) ## Mend format and what lint can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bento: $(BUNDLE)/manifest.json ## Build the bento (CONFIG=bentofile.yaml) with DATA's bundle in it
	@$(BIN)/bellwether bundle save $(BUNDLE)
	@$(BIN)/bentoml build -f $(or $(CONFIG),bentofile.yaml)

bench: $(BUNDLE)/manifest.json ## Load-test the service with Locust and measure the scorer
	@$(BIN)/python -m benchmarks.run $(BUNDLE)

bench-overload: $(BUNDLE)/manifest.json ## Ask the service for up to three times its capacity
	@$(BIN)/python -m benchmarks.load.overload $(BUNDLE)

bench-peers: $(BUNDLE)/manifest.json ## Bellwether beside its peers, interleaved (about 12 minutes)
	@$(BIN)/python -m benchmarks.peers $(BUNDLE)

reproduce: | $(ENV) ## Every table of docs/results.md, resumable (DATA_DIR=../shared/data)
	@$(BIN)/bellwether reproduce $(if $(DATA_DIR),--data-dir $(DATA_DIR)) $(if $(ONLY),--only $(ONLY)) --workers $(or $(WORKERS),2)

audit: $(ENV) ## Look up known advisories of the locked packages
	@$(BIN)/python requirements/audit.py

lock: ## Renew the hash-locked requirements from pyproject.toml (RENEW="--upgrade-package NAME")
	@bash requirements/lock $(RENEW)
	@bash benchmarks/peers/lock

clean: ## Remove runs, bundles and caches; keep .venv
	@rm -rf runs build out .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help env train report pictures export serve packages test test-fast test-long test-matrix fuzz lint format bento bench bench-overload bench-peers reproduce audit lock clean
