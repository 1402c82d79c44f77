#!/bin/sh
# Everything of a release but the image, in dist/: wheel, sdist, SBOM and licences, chart, manifests, schema, checksums.
# usage: artifacts.sh TAG IMAGE_WITH_DIGEST REPOSITORY    (from the root of the sources, after `make sbom`)
#   artifacts.sh v0.1.0 ghcr.io/owner/descheduler@sha256:… owner/descheduler
# Tools: hatchling of .venv, helm; PYTHON and HELM name others.
set -eu
tag=$1 image=$2 repository=$3
version=${tag#v}
python=${PYTHON:-.venv/bin/python}
helm=${HELM:-helm}
work=build/release
rm -rf "$work" && mkdir -p "$work" dist

"$python" -m hatchling build -d dist

# Chart and manifests name this image by its digest, and the runbooks at this tag.
cp -R charts/descheduler "$work/chart" && cp -R manifests "$work/manifests"
find "$work" -type f -exec sed -i "s|OWNER/REPOSITORY/blob/main|$repository/blob/$tag|g" {} +
sed -i -e "s|^  repository: descheduler$|  repository: ${image%@*}|" -e "s|^  digest: \"\"  |  digest: \"${image#*@}\"  |" \
  "$work/chart/values.yaml"
printf 'images:\n  - name: descheduler\n    newName: %s\n    digest: %s\n' "${image%@*}" "${image#*@}" > "$work/images.yaml"
sed -i '/^images:/,$d' "$work/manifests/base/kustomization.yaml"
cat "$work/images.yaml" >> "$work/manifests/base/kustomization.yaml"
"$helm" package "$work/chart" --version "$version" --app-version "$version" --destination dist
tar -czf "dist/manifests-$version.tar.gz" --sort=name --owner=0 --group=0 --mtime=@0 -C "$work" manifests
cp manifests/schema/policy.v1alpha1.json dist/

# What CHANGELOG.md says of this version.
awk -v version="$version" '/^## /{shown = ($2 == version); next} shown' CHANGELOG.md > "$work/notes.md"
test -s "$work/notes.md" || { echo "CHANGELOG.md says nothing of $version" >&2; exit 1; }

cd dist && rm -f SHA256SUMS && sha256sum -- * > ../"$work"/SHA256SUMS && mv ../"$work"/SHA256SUMS .
