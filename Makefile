# make run    try it: everything on this machine, no AWS account needed
# make test   every test; installs what they need where it can
.DEFAULT_GOAL := help
.PHONY: help run test lint bench screenshots clean lock kerberos

PORT ?= 8080
SANDBOX_PORT ?= 8081
# Where the demonstration's people are: local, or ldap.
DIRECTORY ?= local
VENV := .venv
PY := $(VENV)/bin/python
# The first of these that is 3.11 or newer.
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install --quiet --no-input --only-binary :all:

help: ## List these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: $(VENV)/run.installed ## Start the demonstration (PORT=8080 SANDBOX_PORT=8081 DIRECTORY=ldap)
	@[ "$(DIRECTORY)" != ldap ] || sh tests/prepare.sh ldap
	@exec $(PY) -m idp demo --port $(PORT) --sandbox-port $(SANDBOX_PORT) --directory $(DIRECTORY)

test: ## Run every test
	@sh tests/prepare.sh
	@$(MAKE) --no-print-directory $(VENV)/dev.installed
	@$(PY) -m pytest -n 2 --dist loadgroup $(TESTS)

bench: ## Measure how fast it is (BENCH="--quick" or other options)
	@sh tests/prepare.sh
	@$(MAKE) --no-print-directory $(VENV)/dev.installed
	@$(PY) -m tests.bench $(BENCH)

lint: $(VENV)/dev.installed ## Check style, types and who imports whom
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

screenshots: $(VENV)/dev.installed ## Take the pictures of docs/images anew
	@$(PY) -m tests.browser.screenshots $$(command -v chromium || command -v google-chrome)

lock: $(VENV)/dev.installed ## Make the lock files anew from pyproject.toml (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade pyproject.toml --extra sandbox --extra build -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --upgrade pyproject.toml --all-extras -c requirements.lock -o requirements-dev.lock

clean: ## Remove the virtual environment and all data of the demonstration
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(PY):
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or newer, and there is none on the PATH." >&2; exit 2; }
	@touch .writable 2>/dev/null && rm .writable || { echo "Nothing can be written in $(CURDIR): clone it to a folder of your own." >&2; exit 2; }
	@echo "Setting up $(VENV) (once, under two minutes) ..."
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || \
	  { sh tests/prepare.sh venv && $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1; } || { rm -rf $(VENV); \
	  echo "$(PYTHON) can't make virtual environments. On Debian and Ubuntu run: apt install python3-venv" >&2; exit 2; }

$(VENV)/run.installed: requirements.lock pyproject.toml | $(PY)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.installed: requirements-dev.lock pyproject.toml | $(PY)
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@sh docs/deploy/link-gssapi.sh $(PY) || true
	@touch $@ $(VENV)/run.installed

kerberos: $(VENV)/run.installed ## Let the virtual environment use Debian's python3-gssapi
	@sh docs/deploy/link-gssapi.sh $(PY)
