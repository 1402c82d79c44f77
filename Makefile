# make demo | test | lint | venv. Needs Python 3.11 or later (PYTHON=python3.13 chooses one) and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two workers; tests that share a control plane or a browser stay on one of them.
PYTEST_FLAGS ?= -n 2 --dist loadgroup

SOURCES := pyproject.toml README.md $(shell find descheduler profiling strategies -type f -not -path '*/__pycache__/*')

.PHONY: demo test lint venv components clean
.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make demo   plan on the embedded example cluster: a table here, report.html beside"
	@echo "make test   run the test suite (against real components where this machine has them)"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make venv   only set up $(VENV)"

venv: $(VENV)/.installed $(VENV)/.groups

# The environment itself. An empty .venv or one of a Python that has gone is made anew.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

# Runtime dependencies follow pyproject.toml; the package is installed from its sources, not editable, so that tests see what users get.
$(VENV)/.dependencies: $(VENV)/.created pyproject.toml
	@echo "Installing dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	@touch $@ $(VENV)/.installed

$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall .
	@touch $@

$(VENV)/.groups: $(VENV)/.dependencies
	@echo "Installing test and lint tools"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/descheduler plan --example
	@$(BIN)/descheduler plan --example -o html > report.html.tmp && mv report.html.tmp report.html
	@echo
	@echo "The whole plan, with forecasts, proofs and refusals: open report.html in a browser."
	@echo "Next, on a cluster of yours (nothing is evicted by a plan):"
	@echo "  $(BIN)/descheduler plan --kubeconfig ~/.kube/config --prometheus http://PROMETHEUS:9090 -o html > report.html"
	@echo "  $(BIN)/descheduler policy default > policy.yaml     # then: --policy policy.yaml"
	@echo "  kubectl apply -k manifests/overlays/dry-run         # the controller, in a mode that has no right to evict"

# What can be installed or built here is; what cannot is listed at the end of the test run, by name and with the reason.
components: venv
	@sh tests/controlplane/install.sh || true
	@$(BIN)/python tests/controlplane/binaries.py > /dev/null || true

test: venv components
	@$(BIN)/python -m pytest $(PYTEST_FLAGS) $(ARGS)

lint: venv
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

clean:
	rm -rf $(VENV) report.html
