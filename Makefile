# Everything runs from a bare clone: Python 3.11 to 3.13 and make. `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# The distribution's own first: the package runs on it, and it is built by profiles, which many others are not (a third slower).
PYTHON ?= $(shell for p in /usr/bin/python3 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export SEED ?=

# Compiled modules come before those of the sources; the rest is the same.
LED := PYTHONSAFEPATH=1 PYTHONPATH="$(CURDIR)/.venv/compiled:$(CURDIR)"
TEST_COMPILED = $(LED) TEST_COMPILED=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not system and not interpreted" -q \
	tests/unit/common/test_{clock,digest,prefix}.py tests/unit/steering/{decision,fleet,players,routes} \
	tests/unit/steering/{api/test_connections,test_cycles,test_geography,test_metrics,test_recent,test_signing,trust/test_rates}.py

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: .venv/.demo-ready ## make .venv and fetch the page's player, all pinned; nothing else needs it first

demo: .venv/.demo-ready ## the whole system on this machine: watch a film, stop an appliance; ENGINE=nats: three instances of steering
	@$(BIN)/python -m demo $(if $(ENGINE),--engine $(ENGINE)) $(DEMO)

demo-check: .venv/.demo-ready ## the same without a browser: play, kill, play on, report
	@$(BIN)/python -m demo --check $(if $(ENGINE),--engine $(ENGINE)) $(DEMO)

test: .venv/.dev-ready debian lint compiled ## everything CI runs: lint, types, unit and system tests, coverage of pure modules
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not system" --cov --cov-report= -q tests
	@$(BIN)/python tests/style/coverage_pure.py
	@$(TEST_COMPILED)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "system and not alone and not long and not flood" -q tests
	@$(BIN)/python -m pytest -m "system and alone and not long and not flood" -q tests

test-unit: .venv/.dev-ready ## the fast tests alone
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not system" -q tests

test-compiled: .venv/.dev-ready compiled ## unit tests of a decision's way against the compiled modules
	@$(TEST_COMPILED)

test-long: .venv/.dev-ready .venv/.docs-ready debian ## the tests that take minutes: the guide as a site, packages built alike, alarms by faults, a federation killed, players moved, a fill whose device hangs
	@$(BIN)/python -m pytest -m "system and long" -q tests

fuzz: .venv/.dev-ready ## fuzz the HTTP parser for an hour, or FUZZ_SECONDS, and record it in tests/fuzz/outcome.json
	@nice -n 19 $(BIN)/python -m tests.fuzz

fuzz-api: .venv/.dev-ready ## fuzz steering's endpoints for half an hour, or FUZZ_SECONDS, and record it in tests/fuzz/api_outcome.json
	@nice -n 19 $(BIN)/python -m tests.fuzz.api

floods: .venv/.dev-ready ## what a flood does to other viewers' p99: a measurement, so apart from the tests
	@$(BIN)/python -m pytest -m flood -q tests

test-spark: .venv/.spark-ready ## the history's queries on a Spark cluster (Java 17, half a GiB of PySpark), a worker killed amid one: tests/spark/outcome.json
	@nice $(BIN)/python -m tests.spark

kills: .venv/.dev-ready ## kill a fill 500 times (KILLS) at random moments, and record it in tests/kills/outcome.json
	@nice -n 19 $(BIN)/python -m tests.kills

soak: .venv/.dev-ready ## two appliances fill, evict, scrub and serve for an hour (SOAK_SECONDS) amid kills: tests/soak/outcome.json
	@nice -n 19 $(BIN)/python -m tests.soak

lint: .venv/.dev-ready ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

bench: bench-delivery bench-profile bench-cold bench-store bench-fill bench-forecast bench-plan bench-steering bench-players ## every benchmark, with its ratios and bars

bench-delivery: .venv/.dev-ready debian-bench ## the delivery worker beside nginx in the same run
	@$(BIN)/python -m benchmarks.delivery $(DELIVERY)

bench-profile: .venv/.dev-ready debian-bench ## where the CPU of a request goes, by perf: ours, nginx, a bare loop
	@$(BIN)/python -m benchmarks.profile $(PROFILE)

bench-cold: .venv/.dev-ready debian-bench ## viewers of what is in memory while others ask for what is not
	@$(BIN)/python -m benchmarks.cold $(COLD)

bench-forecast: .venv/.dev-ready ## tomorrow's demand forecast and placed, beside pull-through caches; FORECAST="--charts FILE --curve FILE"
	@$(BIN)/python -m benchmarks.forecast $(FORECAST)

bench-plan: .venv/.dev-ready ## a night's plans for 20,000 appliances and a million assets, the first and the next; PLAN="--clusters 1000" for less
	@$(BIN)/python -m benchmarks.plan $(PLAN)

bench-store: .venv/.dev-ready ## start-up and memory with millions of objects, and the page cache beside a fill
	@$(BIN)/python -m benchmarks.store $(STORE)

bench-steering: .venv/.dev-ready debian compiled ## decisions, compiled, at the size of a large fleet: 1.2 M prefixes, 10,000 appliances, 1 M assets
	@$(LED) $(BIN)/python -m benchmarks.steering $(STEERING)

bench-fill: .venv/.dev-ready debian-bench ## a fill from a local peer beside curl, and the agent's memory
	@$(BIN)/python -m benchmarks.fill $(FILL)

bench-players: .venv/.dev-ready ## what viewers feel: 200 players before a demo of its own
	@$(BIN)/python -m benchmarks.players --demo 127.0.41 --players 200 --seconds 60 --headless $(PLAYERS)

docs: .venv/.docs-ready ## the operator's guide as a site in dist/docs, read and searched offline; warnings are errors, each link and anchor is checked
	@$(BIN)/python docs/generate.py --check
	@$(BIN)/python -m sphinx -q -n -W --keep-going -d dist/docs-trees docs dist/docs
	@$(BIN)/python docs/check_site.py dist/docs

compiled: .venv/.compile-ready ## .venv/compiled: the packages with the modules of [tool.compiled] compiled; needs gcc and Python's headers
	@$(BIN)/python -m compiled

wheel: .venv/.demo-ready $(if $(COMPILED),.venv/.compile-ready) ## dist/*.whl, with the page's player inside; COMPILED=1: for this Python and machine, as the package
	@rm -f dist/open_appliance-*.whl
	@$(if $(COMPILED),OPEN_APPLIANCE_COMPILED=.venv/compiled-extensions) $(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

deb: .venv/.compile-ready ## dist/*.deb for Debian 12: its own Python packages, users, folders, units; the same bytes every time by the same gcc and Python
	@$(BIN)/python -m debian $(DEB)

lock: .venv/.dev-ready ## pin the newest versions that pyproject.toml allows
	@for set in dev demo package docs compile spark; do case $$set in dev) extras="--upgrade --extra demo --extra dev --extra tracing";; demo) extras="--extra demo";; package) extras="--extra tracing";; docs) extras="--extra docs";; compile) extras="--extra compile";; spark) extras="--extra spark";; esac; \
	[ $$set = dev ] || extras="$$extras --constraint requirements/dev.lock"; \
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 $$extras --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --quiet -o requirements/$$set.lock; done

debian: ## install the Debian packages that tests and benchmarks use (as root; else say which are missing)
	@scripts/debian.sh

debian-bench: # the same, and what the benchmarks need beside it
	@scripts/debian.sh bench

clean: ## remove what was made here: environments, caches, encoded video
	@rm -rf .venv .demo dist node_modules steering/page/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz .tmp .coverage .coverage.*

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "make: no Python 3.11 to 3.13 with venv found; install one (Debian: apt-get install python3-venv) or pass PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/.demo-ready: requirements/demo.lock pyproject.toml package-lock.json | .venv/bin/python
	@echo "Installing the pinned packages (a minute the first time)"
	@$(PIP) install --no-deps --require-hashes -r requirements/demo.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m demo.vendor
	@touch $@

.venv/.dev-ready: .venv/.demo-ready requirements/dev.lock
	@echo "Installing the pinned packages for development"
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.lock
	@touch $@

.venv/.compile-ready: .venv/.demo-ready requirements/compile.lock
	@$(PIP) install --no-deps --require-hashes -r requirements/compile.lock
	@touch $@

.venv/.spark-ready: .venv/.dev-ready requirements/spark.lock
	@echo "Installing PySpark (half a GiB)"
	@$(PIP) install --no-deps --require-hashes -r requirements/spark.lock
	@touch $@

.venv/.docs-ready: .venv/.demo-ready requirements/docs.lock
	@echo "Installing Sphinx, MyST and Furo"
	@$(PIP) install --no-deps --require-hashes -r requirements/docs.lock
	@touch $@

# Targets share one environment.
.NOTPARALLEL:
.PHONY: help docs setup demo demo-check test test-unit test-compiled test-long test-spark floods fuzz kills soak lint bench bench-delivery bench-profile bench-cold bench-store bench-fill bench-forecast bench-plan bench-steering bench-players compiled wheel deb lock debian debian-bench clean
