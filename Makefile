# One short target a command; the set-up itself is .ci/bootstrap.py (plain Python, no packages needed).
PYTHON ?= python3
BOOTSTRAP := $(PYTHON) .ci/bootstrap.py
BIN := .venv/bin
NPM := PATH="$$PATH:$(CURDIR)/$(BIN)" npm run --silent

# Only what is set: an empty WAMP_PORT in the environment would be a wrong value.
$(foreach name,PORT WAMP_PORT INSTANCE,$(if $(value $(name)),$(eval export $(name))))

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-postgres try-docker coverage lint format bench dist docs pins clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make the environments and fetch the browser libraries, nothing else
	@$(BOOTSTRAP) run

run: ## set up what is missing and run the site; PORT=8080 WAMP_PORT=8081 INSTANCE=instance
	@$(BOOTSTRAP) run
	@exec $(BIN)/python -m wampflask.apps.serve

test: lint ## lint, then every test (routers, browsers, packaging), two files at a time: TEST_PROCESSES=2
	@$(BIN)/python -m pytest --numprocesses $(or $(TEST_PROCESSES),2) --dist loadfile

test-fast: ## the tests that take no longer than a minute together: no browser, nothing that is killed
	@$(BOOTSTRAP) test
	@$(BIN)/python -m pytest --numprocesses $(or $(TEST_PROCESSES),2) --dist loadfile -m "not slow"

test-postgres: ## the tests that touch a database, on a PostgreSQL of their own
	@$(BOOTSTRAP) test
	@$(BIN)/python -m rig.postgres pytest --numprocesses $(or $(TEST_PROCESSES),2) --dist loadfile -m "not sqlite" \
		-W ignore::pytest.PytestUnraisableExceptionWarning \
		tests/apps --ignore tests/apps/test_worker.py tests/core/test_store.py tests/core/test_schedule.py tests/core/test_settings.py \
		tests/core/tasks tests/core/bridge tests/core/test_binding.py tests/core/test_binding_groups.py \
		tests/core/test_binding_router.py tests/core/test_live_table.py tests/core/live/test_fragments.py \
		tests/reliability/test_vote_storm.py examples

try-docker: ## run the Dockerfile's steps in a scratch folder, without Docker, and the site from what they made
	@$(BOOTSTRAP) run
	@PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python .ci/try_dockerfile.py

coverage: ## how much of the library its tests run, by branches
	@$(BOOTSTRAP) test
	@$(BIN)/python -m pytest --numprocesses $(or $(TEST_PROCESSES),2) --dist loadfile --cov tests/core tests/router examples

lint: ## ruff, prettier, eslint and mypy strict, tests included
	@$(BOOTSTRAP) test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(NPM) lint
	@$(BIN)/mypy

format: ## let ruff, prettier and eslint format and fix what they can
	@$(BOOTSTRAP) test
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix
	@$(NPM) format

bench: ## measure, and print the ratios
	@$(BOOTSTRAP) test
	@$(BIN)/python -m bench

docs: ## write docs/api.md and what docs/deployment.md quotes, and build the site of all pages into build/docs
	@$(BOOTSTRAP) test
	@$(BIN)/python .ci/api.py
	@$(BIN)/python .ci/deployment.py
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky -c docs . build/docs

dist: ## build wheels and sdists of library, site and agent into dist/
	@$(BOOTSTRAP) test
	@for project in . packages/site packages/agent; do \
		$(BIN)/python -m build --quiet --no-isolation --outdir dist $$project || exit; \
	done

pins: ## write the requirement files from what is installed
	@$(BIN)/python .ci/pins.py

clean: ## remove environments, fetched packages and caches; keeps instance/
	@rm -rf .venv .crossbar/venv node_modules static/vendor static/built .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info packages/*/build packages/*/*.egg-info
