#!/bin/sh
# Installs Prometheus, PostgreSQL and Chromium from Debian's packages where they are missing and this user may. Exits non-zero if one stays missing.
set -u
packages=""
command -v prometheus >/dev/null && command -v promtool >/dev/null || packages="$packages prometheus"
command -v chromium >/dev/null || packages="$packages chromium"
command -v chromedriver >/dev/null || packages="$packages chromium-driver"
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="$packages postgresql"
[ -n "$packages" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "not installed, and not installable as this user on this system:$packages" >&2
  exit 1
fi
echo "installing:$packages" >&2
export DEBIAN_FRONTEND=noninteractive
# While it is installed, the packages are kept from starting servers of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
# shellcheck disable=SC2086
apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends $packages >/dev/null
