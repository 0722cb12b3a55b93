# Says what can be done with the project; `make` alone lists it. Every target sets up .venv by itself.

PYTHON ?= python3
BIN := .venv/bin
FAST := -m "not server and not slow" --ignore=tests/requirements --ignore=tests/faults
unexport PYTHONDONTWRITEBYTECODE # compile once, not in every process a test starts
HANDS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) # tests at a time: one more than cores, for some wait for servers

.DEFAULT_GOAL := help
.PHONY: help demo run check test simulate bench docs-library lint migration migrations-first constraints chaos faults contract kills race planted soak clients

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

demo: .venv/demo.stamp ## a shop with real purchases: users placed, messages planned and sent into an outbox
	$(BIN)/sop demo

run: .venv/base.stamp ## the engine in one process on SQLite: no broker, no Docker
	$(BIN)/sop run

check: .venv/test.stamp lint ## the fast checks: style, types, arrows, tests without servers (under a minute)
	$(BIN)/python -m pytest -q -n auto --dist worksteal $(FAST)

test: .venv/test.stamp lint ## everything: also PostgreSQL, Redis and the slow tests
	$(BIN)/python -m pytest -q -n $(HANDS) --dist worksteal --durations=10

simulate: .venv/test.stamp ## 100,000 simulated experiments a check: what the methods of sop compare promise
	$(BIN)/python -m tests.core.stats.simulated_checks

bench: .venv/bench.stamp ## measure: the figures of benchmarks/
	$(BIN)/python -m benchmarks

docs-library: .venv/base.stamp ## write the pages of docs/library anew from the shipped playbooks
	$(BIN)/sop docs

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

migration: .venv/test.stamp ## write what the tables say and the migrations do not yet: NAME="a note for every run"
	$(BIN)/python -m tests.store.write_migration $(NAME)
	$(call tidy,sop_engine/store/migrations)

migrations-first: .venv/test.stamp ## write the first migrations anew from the tables (only until a release)
	$(BIN)/python -m tests.store.write_migration first
	$(call tidy,sop_engine/store/migrations)

clients: ## the client for Node that a test of ingestion runs (without it that test is left out, and counted)
	cd tests/clients && npm ci --no-audit --no-fund

constraints: .venv/test.stamp .venv/demo.stamp .venv/bench.stamp ## pin what a clean .venv holds now
	$(BIN)/python -m pip freeze --exclude-editable | LC_ALL=C sort -f > constraints.txt

.venv/base.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable . --constraint constraints.txt
	@touch $@

.venv/%.stamp: .venv/base.stamp
	$(BIN)/python -m pip install --quiet --editable '.[$*]' --constraint constraints.txt
	@touch $@

define tidy
	$(BIN)/ruff format --quiet $(1)
	$(BIN)/ruff check --fix --quiet $(1)
endef

chaos: .venv/test.stamp ## die at every point and recover: DB=sqlite|postgres MOST=500 SEED=1
	$(BIN)/python -m tests.faults chaos

faults: .venv/test.stamp ## the fault matrix: which tests hold which row, and all of them
	$(BIN)/python -m tests.faults faults

contract: .venv/test.stamp ## every channel before every behaviour of a provider, with the counts
	$(BIN)/python -m tests.channels.suite

kills: .venv/test.stamp ## end a process on SQLite in the middle of its writes: TIMES=100 SEED=1
	$(BIN)/python -m tests.faults kills

race: .venv/test.stamp ## opt-outs and orders against intents, takers against each other: DB=sqlite|postgres TRIALS=1000
	$(BIN)/python -m tests.faults race

planted: .venv/test.stamp ## take out one safeguard after the other: the tests must notice each
	$(BIN)/python -m tests.faults planted

soak: .venv/test.stamp ## an hour over real servers with a fault every half minute: MINUTES=60 SEED=1
	$(BIN)/python -m tests.faults soak
