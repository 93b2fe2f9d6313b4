# The two commands: `make demo` runs the main job, `make test` passes the tests. Both do all set-up.
SHELL := /bin/bash
node := node_modules/.bin/node
python := .venv/bin/python
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help setup demo serve test test-interop test-long bench clean

help:
	@echo 'make demo          set up and run the main job on the embedded default'
	@echo 'make serve         set up and start the server on .data'
	@echo 'make test          set up and pass the tests'
	@echo 'make test-interop  the same against other engines and languages; needs Go, Rust, Java and Maven'
	@echo 'make test-long     full-size runs (hours)'
	@echo 'make bench         the benchmarks against their rivals, at smoke size'

setup: node_modules/.installed .venv/.installed

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.venv/.installed: python/pyproject.toml python/requirements-test.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Headrace needs Python 3.11 or newer as python3' >&2; exit 1; }
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r python/requirements-test.txt -e python
	@touch $@

demo: setup
	@$(python) examples/demo/demo.py

serve: setup
	bin/headrace serve --data-dir .data --policies examples/policies

test: setup
	@mkdir -p build/results && rm -f build/results/*.xml
	biome check .
	tsc --noEmit
	$(python) -m ruff check --quiet --config python/pyproject.toml python examples
	$(python) -m ruff format --check --quiet --config python/pyproject.toml python examples
	$(python) -m mypy --no-error-summary --config-file python/pyproject.toml python/headrace
	@# Either part runs whatever became of the other.
	status=0; \
	$(node) --import ./test/support/seed.ts --test --test-concurrency=2 --test-reporter=./test/support/brief-reporter.ts --test-reporter-destination=stdout \
	  --test-reporter=junit --test-reporter-destination=build/results/unit.xml $$(find test -name '*.test.ts' -not -path 'test/interop/*' | sort) || status=1; \
	$(python) -m pytest -q python/tests --junitxml=build/results/python.xml || status=1; \
	exit $$status

test-interop: setup
	@mkdir -p build/results && rm -f build/results/interop.xml
	$(node) --import ./test/support/seed.ts --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout \
	  --test-reporter=junit --test-reporter-destination=build/results/interop.xml $$(find test/interop -name '*.test.ts' | sort)

test-long: setup
	@mkdir -p build/results
	$(node) bench/run.ts --size full --json build/results/bench.json

bench: setup
	$(node) bench/run.ts --size smoke --without tonic,tonic-memory

clean:
	rm -rf build dist .data .venv node_modules
