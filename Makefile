# Every target is one line; what it does is in Python: `planogram --help`.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
USER_ID = $(if $(filter command line,$(origin USER)),$(USER),shopper-00042)
EXTRAS := feature,scoring,policy,layout,local,training,evaluation,simulator,storefront,gpu,dev
PAGE ?= home
SUBJECT ?=

.PHONY: help setup demo demo-once up status down compose load test test-peers lint protos clean bench-policy bench-click bench-text bench-%

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(BIN)/.installed ## Install everything into .venv (the other targets do it by themselves)

$(BIN)/.installed: pyproject.toml constraints.txt $(wildcard services/*/requirements.txt services/*/*/requirements.txt */requirements.txt)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv: some minutes, once"
	@$(BIN)/pip install --quiet --constraint constraints.txt torch
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

demo: setup ## Data, training, four services, a page: on this machine, in minutes
	@$(BIN)/planogram demo

demo-once: setup ## The same, and exit after the page
	@$(BIN)/planogram demo --once

up: setup ## Start the four services in the background
	@$(BIN)/planogram up

status: setup ## Say which services run and serve
	@$(BIN)/planogram status

down: setup ## Stop them
	@$(BIN)/planogram down

compose: setup ## Print a page: make compose USER=shopper-00042 PAGE=home [SUBJECT=kitchen]
	@$(BIN)/planogram compose --user "$(USER_ID)" --page "$(PAGE)" --subject "$(SUBJECT)"

load: setup ## Load-test ComposePage with ghz, where it is installed
	@$(BIN)/python tests/load/run.py

import-open-bandit: setup ## Turn the Open Bandit logs into this system's own, train on them, compose pages
	@$(BIN)/planogram import open-bandit

bench-policy: .venv-peers/.installed ## Own learners, or with ARGS=--peers other libraries', on synthetic shops
	@.venv-peers/bin/python -m services.common.cli bench policy $(ARGS)

bench-click: .venv-peers/.installed ## The click model against other libraries' models: make bench-click ARGS='--log FOLDER'
	@.venv-peers/bin/python -m services.common.cli bench click $(ARGS)

bench-text: .venv-peers/.installed ## The click model with items' texts read in several ways: make bench-text ARGS='--log FOLDER'
	@.venv-peers/bin/python -m services.common.cli bench text $(ARGS)

PEERS := $(addprefix services/local/bench/,policy/peers/requirements.txt click/peers/requirements.txt text/requirements.txt)

.venv-peers/.installed: $(BIN)/.installed $(PEERS)
	@$(BIN)/python -m services.local.bench.environment .venv-peers constraints.txt && touch $@

test-peers: .venv-peers/.installed ## Test the benchmark's use of other libraries, in their environment
	@.venv-peers/bin/python -m pytest tests/bench/test_peer_libraries.py tests/bench/test_click_peer_libraries.py tests/bench/test_text_peer_libraries.py

bench-%: setup ## Measure one thing against its floor: bench-page, bench-plan, bench-front, bench-composer
	@$(BIN)/planogram bench $*

.PHONY: bench-scoring
bench-scoring: .venv-mlserver/.installed ## ScoreItems against the bare graph and against MLServer
	@$(BIN)/planogram bench scoring $(ARGS)

.venv-mlserver/.installed: $(BIN)/.installed services/local/bench/scoring/peers/requirements.txt
	@$(BIN)/python -m services.local.bench.scoring.peers.environment .venv-mlserver && touch $@

test: setup ## Run every test, two files at a time; one at a time: make test ARGS='-n 0'
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## Format, lint and type-check
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/mypy && $(BIN)/buf lint protos

protos: setup ## Make the generated code
	@$(BIN)/python protos/generate.py

clean: ## Delete data and reports, not the installation
	@rm -rf var reports
