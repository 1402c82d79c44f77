#!/bin/sh
# Installs what builds and starts the image from Debian's packages where it is missing and this user may.
set -u
packages=""
for program in podman runc mmdebstrap; do
  command -v "$program" >/dev/null || packages="$packages $program"
done
[ -n "$packages" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "not installed, and not installable as this user on this system:$packages" >&2
  exit 1
fi
echo "installing:$packages" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends $packages >/dev/null
