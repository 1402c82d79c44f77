# Needs Python 3.11 or later and nothing else; `make demo PYTHON=python3.13` chooses one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# Every file that is installed is checked against the hashes in locks/. They know no Python later than these: that one
# gets what pyproject.toml allows, unchecked. LOCKED=no asks for the same, as to try newer libraries.
LOCKED ?= $(shell $(PYTHON) -c 'import sys; print("yes" if sys.version_info < (3, 15) else "no")')
UNLOCKED := echo "Not from locks/ (LOCKED=no, or a Python later than theirs): what pyproject.toml allows, unchecked" >&2
TAG ?= localhost/descheduler:0.1.0
# Tests that wait for a cluster leave time for others; a file stays on one worker, and so does what its tests share.
PYTEST_FLAGS ?= -n 2 --dist loadfile

SOURCES := pyproject.toml README.md LICENSE $(shell find descheduler profiling strategies -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.PHONY: help demo test test-peers test-image lint venv components chart site lock sbom image clean
.DELETE_ON_ERROR:

help:
	@echo "make demo   plan on the embedded example cluster: a table here, report.html beside it"
	@echo "make test   the test suite, against the real components that this machine has or can be given"
	@echo "make test-peers   the same history from other servers, and the same policies under the Kubernetes SIG's"
	@echo "                  descheduler (builds them: half an hour, once)"
	@echo "make test-image   build the image and start it (podman; five to ten minutes)"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make venv   set up $(VENV) with everything that these need"
	@echo "make site   the pages of docs/ as a site in build/site, with every link between them checked"
	@echo "make chart  what the Helm chart has from manifests/, anew after a change there"
	@echo "make lock   locks/ anew after a change of pyproject.toml; UPGRADE=--upgrade takes the newest of everything"
	@echo "make sbom   dist/: what is shipped (CycloneDX) and under which licences"
	@echo "make image  build the image as TAG=$(TAG)"

venv: $(VENV)/.installed $(VENV)/.tools

# Each stamp file below is newer than what its step was made from, so that a step runs again only when that has changed.

$(VENV)/.created: locks/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed, $(PYTHON) is not; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes --requirement locks/build.txt
	@touch $@

$(VENV)/.dependencies: $(VENV)/.created pyproject.toml locks/run.txt
	@echo "Installing the dependencies"
	@if [ "$(LOCKED)" = yes ]; then $(PIP) install --no-compile --require-hashes --requirement locks/run.txt; \
	  else $(UNLOCKED); $(PIP) install --no-compile --no-build-isolation '.[sigv4,postgresql]'; fi
	@touch $@

# Not editable: what is run and tested is what users get.
$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	@$(PIP) install --no-deps --no-build-isolation --force-reinstall .
	@touch $@

$(VENV)/.tools: $(VENV)/.dependencies locks/dev.txt
	@echo "Installing the tools for tests and lint"
	@if [ "$(LOCKED)" = yes ]; then $(PIP) install --no-compile --require-hashes --requirement locks/dev.txt; \
	  else $(UNLOCKED); $(PIP) install --no-compile --group dev; fi
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
	@$(BIN)/python tests/charts/helm_program.py > /dev/null || true

test: venv components
	@$(BIN)/pytest $(PYTEST_FLAGS) $(ARGS)

# Not part of `test`: these programs take long to build, and their folder is left out unless it is named (pyproject.toml).
test-peers: venv
	@sh tests/controlplane/install.sh || true
	@$(BIN)/python tests/peers/binaries.py > /dev/null
	@$(BIN)/pytest tests/peers $(ARGS)

# Not part of `test` either: it installs an operating system to put the image on where the base cannot be pulled.
test-image: venv
	@sh tests/image/install.sh || true
	@$(BIN)/pytest tests/image $(ARGS)

lint: venv
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests/conftest.py tests/controlplane
	@$(BIN)/lint-imports

chart: venv
	@$(BIN)/python release/chart.py

site: venv
	@$(BIN)/python -m sphinx -W --keep-going -q -c docs/site . build/site
	@echo "open build/site/docs/site/index.html"

# One resolution for all: the others take their versions from dev.txt. Of every version all files' hashes, for all
# platforms and Pythons; no address, so that any index that has the same files will do.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --annotation-style line --no-emit-index-url
SAME := --constraints locks/dev.txt $(UPGRADE)
lock: $(VENV)/.tools
	@$(COMPILE) pyproject.toml --all-extras --group dev $(UPGRADE) --output-file locks/dev.txt
	@$(COMPILE) pyproject.toml --extra sigv4 --extra postgresql $(SAME) --output-file locks/run.txt
	@$(COMPILE) --group build $(SAME) --output-file locks/build.txt
	@$(COMPILE) --group inventory $(SAME) --output-file locks/inventory.txt

# Of an environment with what is shipped and nothing else, made by the steps of the Containerfile.
sbom: venv
	@rm -rf build/shipped && $(BIN)/python -m venv --without-pip build/shipped
	@$(PIP) --python build/shipped/bin/python install --no-compile --require-hashes --requirement locks/run.txt
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir build/wheel .
	@$(PIP) --python build/shipped/bin/python install --no-compile --no-deps --no-index build/wheel/*.whl
	@PATH="$(CURDIR)/$(BIN):$$PATH" release/inventory.sh build/shipped/bin/python dist
	@ls dist/sbom.cdx.json dist/licenses.md dist/licenses.txt

image:
	podman build --tag $(TAG) .

clean:
	rm -rf $(VENV) build dist report.html
