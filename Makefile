# `make help` lists every verb.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: start
start: ## set up what is missing and serve on http://localhost:8000
	@./start.sh

.PHONY: test
test: ## every check and test that this machine can run
	@./test.sh

.PHONY: test-all
test-all: ## as in CI: what is missing is a failure
	@./test.sh --all

.PHONY: check
check: ## the checks and tests that take under a minute
	@./test.sh --fast

.PHONY: lint
lint: ## ruff, mypy, import contracts
	@./test.sh --only lint --only format --only types --only imports

.PHONY: format
format: venv ## format and mend what can be mended
	@$(PYTHON) -m ruff check --fix-only --quiet .
	@$(PYTHON) -m ruff format .
	@if [ -d frontend/node_modules ]; then cd frontend && npm run --silent format; fi

.PHONY: venv
venv: ## make .venv with everything for development
	@bash -c 'set -e; . deploy/dev/setup.sh; prepare_python requirements-dev.lock'

.PHONY: page
page: venv ## build the page into src/pipewatcher/page
	@bash -c 'set -e; . deploy/dev/setup.sh; prepare_page'

.PHONY: types
types: venv ## make the page's types from the API's description
	@$(PYTHON) deploy/dev/openapi.py >frontend/src/api/openapi.json
	@cd frontend && npm run --silent types

.PHONY: docs
docs: venv ## build the documentation's site into dist/docs
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

.PHONY: reference
reference: venv ## make the reference pages from the source
	@$(PYTHON) deploy/dev/reference.py

.PHONY: diagrams
diagrams: venv ## draw docs/diagrams/*.svg from their Mermaid texts (needs npm and Chromium)
	@$(PYTHON) deploy/dev/diagrams.py

.PHONY: capacity-figures
capacity-figures: venv ## make the figures of `pipewatcher capacity` from the load report and benches
	@$(PYTHON) deploy/dev/capacity_figures.py

.PHONY: screenshots
screenshots: page ## pictures of every screen into test-results/screenshots (ARGS=--help)
	@$(PYTHON) tests/screenshots.py $(ARGS)

.PHONY: wheel
wheel: page ## build sdist and wheel with the page in them into dist (DIST=folder)
	@$(PYTHON) -m hatchling build --directory $(or $(DIST),dist)

.PHONY: lock
lock: ## remake the lock files (make lock ARGS=--upgrade for the newest versions; needs uv)
	@deploy/dev/lock.sh $(ARGS)

.PHONY: audit
audit: ## ask PyPI and npm for known holes in what is shipped
	@deploy/dev/audit.sh

.PHONY: sbom
sbom: ## list what is shipped, as CycloneDX, in dist/sbom-*.cdx.json
	@deploy/dev/audit.sh --sbom

.PHONY: servers
servers: ## install what test-all needs from the system (Debian, Ubuntu; root)
	@deploy/dev/install-test-servers.sh

.PHONY: bench
bench: venv ## list the benches; make bench NAME=readings ARGS=… runs one
ifdef NAME
	@$(PYTHON) bench/$(NAME).py $(ARGS)
else
	@grep -m 1 -H '^"""' bench/*.py | sed 's/:"""/\t/; s/"""$$//' | expand -t 28
endif

.PHONY: load-report
load-report: venv ## load the system, audit it, write docs/load-report (ARGS=--quick for a short run)
	@$(PYTHON) bench/load $(ARGS)

.PHONY: race
race: venv ## PipeWatcher and its peers with the same readings (bench/race/prepare.sh fetches them)
	@$(PYTHON) bench/race $(ARGS)

.PHONY: clean
clean: ## remove what was made here; never the readings in pipewatcher-data
	@rm -rf .venv .build dist test-results src/pipewatcher/page frontend/node_modules \
		frontend/.next frontend/out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
