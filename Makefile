# What people and CI run. All of it needs make and Python >= 3.11 with pip; everything else comes from the
# locked requirements*.txt, into .venv. `make` alone lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
unexport PYTHONDONTWRITEBYTECODE  # tests start processes by the hundred
.PHONY: help setup demo test coverage test-examples test-java lint bench drill restore-drill fuzz chaos \
  replay-kills mutants containers floors observe pictures lock clean

PYTHON ?= python3
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python
PIP = $(RUN) -m pip --disable-pip-version-check $(QUIET) install
QUIET := $(shell test -t 2 || echo --quiet)  # progress bars where somebody looks
# processes that wait more than they work: six take 527 s on two cores, four 601; in the order of the tree,
# what waits longest comes first
ALL := --numprocesses=6 --dist=loadfile --no-loadscope-reorder
# once, while the first tests run: brokers that start later need a third of the work
PREPARED = $(RUN) -m session_relay.cli services prepare >/dev/null &
WAITED = ; status=$$?; wait; exit $$status
FLOORS = $(addprefix tests/integration/test_,sink.py rows.py fence.py isolation.py migrations.py topics_apply.py \
  dead_letters_projected.py relay_publishes.py relay_items.py shared_limits.py slow_statements.py)
UV = $(RUN) -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
  --python-version 3.11 --group build

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/developing  ## make .venv with everything that is needed to run, test and check

demo: $(VENV)/running  ## send nights through real Kafka and Postgres; ARGS="--once --json", ARGS=--help
	@$(RUN) -m session_relay.cli up $(ARGS)

test: $(VENV)/developing  ## run all tests; a part of them: ARGS="tests/unit -k fold"
	@$(if $(strip $(ARGS)),,$(PREPARED)) $(RUN) -m pytest $(or $(strip $(ARGS)),$(ALL))$(if $(strip $(ARGS)),,$(WAITED))

coverage: $(VENV)/developing  ## run all tests and see that they reach 90 % of the branches; takes half as long again
	@$(PREPARED) $(RUN) -m pytest $(ALL) --cov --cov-report=term --cov-fail-under=90$(WAITED)

lint: $(VENV)/developing  ## check style, format and types
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --quiet --check . || { echo "run: $(RUN) -m ruff format ." >&2; exit 1; }
	@$(RUN) -m mypy

test-examples: $(VENV)/developing  ## run examples/ against real events; needs java, mvn, kcat; ARGS="-k java"
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m pytest tests/examples/test_tools.py $(ARGS)

test-java: $(VENV)/developing  ## compare our verdicts on schemas with Java's; needs java, mvn; SEED=7 PAIRS=4000
	@JAVA_SEED=$(or $(SEED),1) JAVA_PAIRS=$(or $(PAIRS),500) $(RUN) -m pytest \
	  tests/examples/test_java_compatibility.py $(ARGS)

bench: $(VENV)/developing  ## measure sink and relay against their limits; needs wrk; ARGS=--help
	@$(RUN) -m benchmarks $(ARGS)

drill: $(VENV)/developing  ## back fill 500 users x 30 nights from a vendor that fails; RATE=10 takes an hour
	@BACKFILL_DRILL_USERS=500 BACKFILL_DRILL_RATE=$(or $(RATE),200) $(RUN) -m pytest \
	  tests/faults/backfill/test_misbehaving_vendor.py $(ARGS)

restore-drill: $(VENV)/developing  ## lose Postgres, put a backup back, read the log since, timed; EVENTS=100000
	@RESTORE_DRILL_EVENTS=$(or $(EVENTS),1000000) $(RUN) -m pytest -s tests/faults/sink/test_restore_drill.py $(ARGS)

fuzz: $(VENV)/developing  ## send the relay requests, valid and not; ARGS="--seed 7 --requests 200000"
	@$(RUN) -m tests.fuzz $(ARGS)

chaos: $(VENV)/developing  ## play rounds of load and faults against real processes; ARGS="--seed 7 --rounds 40"
	@$(RUN) -m tests.chaos $(ARGS)

replay-kills: $(VENV)/developing  ## kill replays, rebuilds, swaps at seeded moments; ARGS="--seed 7 --rounds 50"
	@$(RUN) -m tests.replay_kills $(ARGS)

mutants: $(VENV)/developing  ## put known defects into a copy of the code: each must be caught; ARGS=--help
	@$(RUN) -m tests.mutants $(ARGS)

floors: $(VENV)/developing  ## run what touches Kafka and Postgres on the oldest promised ones; ARGS=tests/integration
	@TEST_SERVICES=floors $(RUN) -m pytest $(or $(ARGS),$(FLOORS))

containers: $(VENV)/developing  ## build the image and run docker-compose.yml with its demo; needs an engine
	@$(RUN) -m tests.containers

observe: $(VENV)/developing  ## make every alert fire and clear in a real Prometheus, which it needs; ARGS="--only LogGap"
	@$(RUN) -m tests.observe $(ARGS)

pictures: $(VENV)/developing  ## draw what the README shows of the terminal
	@$(RUN) -m tests.pictures

lock: $(VENV)/developing  ## renew the locked requirements; one package: ARGS="--upgrade-package redis"
	@$(UV) $(or $(ARGS),--upgrade) --extra embedded --output-file requirements.txt pyproject.toml
	@$(UV) --constraint requirements.txt --output-file requirements-image.txt pyproject.toml
	@$(UV) $(or $(ARGS),--upgrade) --extra embedded --extra otel --extra sentry --extra dev --constraint requirements.txt \
	  --output-file requirements-dev.txt pyproject.toml

clean:  ## stop what runs and remove all that was made here: .venv, the demo's data, caches
	@if [ -d .session-relay ] && [ -x $(RUN) ]; then $(RUN) -m session_relay.cli services stop; fi
	@rm -rf $(VENV) .session-relay *.egg-info build .coverage .coverage.* htmlcov \
	  .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each file below marks something that was finished: an interrupted install is done again.

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) can't make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/running: $(VENV)/made requirements.txt pyproject.toml
	@echo "Installing what runs into $(VENV), from requirements.txt" >&2
	@$(PIP) --require-hashes --requirement requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/developing: $(VENV)/running requirements-dev.txt
	@echo "Installing what tests and checks into $(VENV), from requirements-dev.txt" >&2
	@$(PIP) --require-hashes --requirement requirements-dev.txt
	@touch $@
