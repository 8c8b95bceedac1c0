# Everything one does with this project. Needs make and Python 3.11 or newer; the locks name the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve migrate test coverage mutants check fix bench docs lock clean

PYTHON ?= python3
ARGS ?=
UV := .uv/bin/uv
BIN := .venv/bin
CODE := $(wildcard mediation projections api tests scripts benchmarks)
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
SYNC = $(UV) pip sync --quiet --python $(BIN)/python --require-hashes --only-binary :all:
# The project itself, by the build tools that the lock has just installed.
INSTALL = $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
	--no-index --editable .

# No other Python is fetched, and no environment but the project's own is touched.
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.run ## Play the demo district in the terminal and serve it (ONCE=1: play and stop)
	@$(BIN)/mediation demo $(if $(ONCE),--once) $(ARGS)

serve: .venv/.run ## Serve the HTTP API
	@$(BIN)/mediation serve $(ARGS)

migrate: .venv/.run ## Bring the tables of the configured database up to date
	@$(BIN)/mediation migrate $(ARGS)

test: .venv/.dev ## Run the tests (ARGS="-k custody -x" goes to pytest; -n 0 -s shows what proofs print)
	@$(BIN)/python -m pytest -p tests.no_skips -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		--durations 25 --durations-min 5 $(ARGS)

coverage: .venv/.dev ## Run the tests and hold the coverage to its bars
	@$(BIN)/python -m pytest -p tests.no_skips -q --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report --include 'mediation/case/*' --fail-under 100
	@$(BIN)/coverage report --fail-under 90

mutants: .mutants/.made ## Put faults into the domain and show those that no test noticed (ARGS=mediation/case/term.py)
	@.mutants/venv/bin/python -m scripts.mutants $(ARGS)

check: .venv/.dev ## Check style, types, layers, locks and documents
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m scripts.check_size
	@$(BIN)/python -m scripts.check_locks
	@$(BIN)/python -m scripts.check_docs
	@$(BIN)/python -m scripts.reference
	@$(BIN)/python -m api.openapi

fix: .venv/.dev ## Mend what can be mended by itself
	@$(BIN)/ruff check --fix $(CODE) || true
	@$(BIN)/ruff format $(CODE)

bench: .venv/.dev ## Measure, and report figures (ARGS goes to the benchmarks)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/.dev ## Write docs/reference from the code, and check the documents
	@$(BIN)/python -m api.openapi --write
	@$(BIN)/python -m scripts.reference --write
	@$(BIN)/python -m scripts.check_docs

lock: $(UV) ## Compile the locks after a change of requirements (ARGS=--upgrade: to the newest)
	@$(COMPILE) pyproject.toml --group build --output-file requirements/run.lock $(ARGS)
	@$(COMPILE) pyproject.toml --group dev --constraint requirements/run.lock \
		--output-file requirements/dev.lock $(ARGS)
	@$(COMPILE) --group pyproject.toml:mutants --constraint requirements/dev.lock \
		--output-file requirements/mutants.lock $(ARGS)
	@.uv/bin/python -m scripts.check_locks --stamp

clean: ## Remove the tools and the environment; data stays
	@rm -rf .uv .venv .mutants .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

$(UV): requirements/bootstrap.lock
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON). Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than 3.11. Say where a newer one is: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Preparing the tools (once) …"
	@rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes \
		--only-binary :all: --requirement requirements/bootstrap.lock
	@touch $@

$(BIN)/python: | $(UV)
	@$(UV) venv --quiet --clear --python $(PYTHON) .venv

# What running needs. A later `make test` adds its own; a changed run.lock takes it away again.
.venv/.run: requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the application needs …"
	@rm -f .venv/.dev
	@$(SYNC) requirements/run.lock
	@$(INSTALL)
	@touch $@

.venv/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the tests and checks need …"
	@$(SYNC) requirements/dev.lock
	@$(INSTALL)
	@touch .venv/.run $@

# Beside what the tests need, what makes the faults; in an environment of its own.
.mutants/.made: requirements/dev.lock requirements/mutants.lock | $(UV)
	@echo "Installing what makes the faults …"
	@$(UV) venv --quiet --clear --python $(PYTHON) .mutants/venv
	@$(UV) pip sync --quiet --python .mutants/venv/bin/python --require-hashes --only-binary :all: \
		requirements/dev.lock requirements/mutants.lock
	@touch $@
