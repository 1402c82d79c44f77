#!/bin/sh
# What an environment is made of, in words that others' tools read: an SBOM (CycloneDX), a list of licences, their texts.
# usage: inventory.sh PYTHON_OF_THE_ENVIRONMENT FOLDER_TO_WRITE_TO    (from the root of the sources)
# The tools are those of locks/inventory.txt, found on PATH.
set -eu
python=$1
to=$2
mkdir -p "$to"
cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file "$to/sbom.cdx.json" "$python"
pip-licenses --python "$python" --format markdown --with-urls --output-file "$to/licenses.md"
pip-licenses --python "$python" --format plain-vertical --with-license-file --with-notice-file --no-license-path \
  --output-file "$to/licenses.txt"
