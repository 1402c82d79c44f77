# Needs Python 3.11 or later and nothing else; `make demo PYTHON=python3.13` chooses one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# Tests that wait for a cluster leave time for others; a file stays on one worker, and so does what its tests share.
PYTEST_FLAGS ?= -n 2 --dist loadfile

SOURCES := pyproject.toml README.md $(shell find descheduler profiling strategies -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.PHONY: help demo test test-peers lint venv components clean
.DELETE_ON_ERROR:

help:
	@echo "make demo   plan on the embedded example cluster: a table here, report.html beside it"
	@echo "make test   the test suite, against the real components that this machine has or can be given"
	@echo "make test-peers   the same history from other servers (builds them: half an hour, once)"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make venv   set up $(VENV) with everything that these need"

venv: $(VENV)/.installed $(VENV)/.tools

# Each stamp file below is newer than what its step was made from, so that a step runs again only when that has changed.

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed, $(PYTHON) is not; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/requirements.txt: $(VENV)/.created pyproject.toml
	@$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); \
	  print(*p["build-system"]["requires"], *p["project"]["dependencies"], sep="\n")' > $@

$(VENV)/.dependencies: $(VENV)/requirements.txt
	@echo "Installing the dependencies"
	@$(PIP) install --no-compile --requirement $<
	@touch $@

# Not editable: what is run and tested is what users get.
$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	@$(PIP) install --no-deps --no-build-isolation --force-reinstall .
	@touch $@

$(VENV)/.tools: $(VENV)/.dependencies
	@echo "Installing the tools for tests and lint"
	@$(PIP) install --no-compile --group dev
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/descheduler plan --example
	@$(BIN)/descheduler plan --example -o html > report.html
	@echo
	@echo "The same with forecasts, proofs and refusals: open report.html in a browser."
	@echo "Next, on a cluster of yours (planning evicts nothing):"
	@echo "  $(BIN)/descheduler plan --kubeconfig ~/.kube/config --prometheus http://HOST:9090 -o html > report.html"
	@echo "  $(BIN)/descheduler policy default > policy.yaml    # change it, then add: --policy policy.yaml"
	@echo "  kubectl apply -k manifests/overlays/dry-run        # the controller, without the right to evict"

# What is still missing after this is listed by the test run at its end, by name and with the reason.
components: $(VENV)/.installed
	@sh tests/controlplane/install.sh || true
	@$(BIN)/python tests/controlplane/binaries.py > /dev/null || true

test: venv components
	@$(BIN)/pytest $(PYTEST_FLAGS) $(ARGS)

# Not part of `test`: the servers take long to build, and their folder is left out unless it is named (pyproject.toml).
test-peers: venv
	@sh tests/controlplane/install.sh || true
	@$(BIN)/python tests/peers/binaries.py > /dev/null
	@$(BIN)/pytest tests/peers $(ARGS)

lint: venv
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests/conftest.py tests/controlplane
	@$(BIN)/lint-imports

clean:
	rm -rf $(VENV) report.html
