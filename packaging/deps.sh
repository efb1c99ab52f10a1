#!/bin/bash
# Installs the Debian packages that building and testing minivault needs and this machine has not.
# Safe to run again: where all is there it only says so, and touches neither apt nor the network.
#
#   packaging/deps.sh         to build and to test
#   packaging/deps.sh lint    also what .ci/run and `make lint` need
#   packaging/deps.sh monitoring   also what `make monitoring-test` needs
#   packaging/deps.sh bench   also what `make bench` and `make bench-replication` measure beside ours
#   packaging/deps.sh package also what makes and checks packages: `make package`, `make package-test`

set -euo pipefail

packages=(
  g++ cmake ninja-build make pkg-config
  libpoco-dev liblmdb-dev libzstd-dev libxxhash-dev liburing-dev
  libboost-dev rapidjson-dev libexpected-dev     # headers alone
  libcppunit-dev libbenchmark-dev curl           # tests and benchmarks
)

case "${1:-}" in
  "") ;;
  lint) packages+=(clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev ccache) ;;
  monitoring) packages+=(prometheus python3) ;;
  bench) packages+=(librocksdb-dev libleveldb-dev etcd-server redis-server nghttp2-client) ;;
  package)
    packages+=(dpkg-dev debhelper rpm lintian rpmlint mandoc systemd zsh)    # make them, read them
    packages+=(debootstrap strace procps python3 docker-compose) ;;           # live in them
  *) echo "usage: $0 [lint|monitoring|bench|package]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "deps: no apt here; please see yourself that these, or their like, are installed: ${packages[*]}"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || state=absent
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "deps: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps: missing: ${missing[*]}" >&2
    echo "deps: neither root nor sudo here; run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "deps: installing ${missing[*]}"
"${as_root[@]}" apt-get update --quiet --quiet
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install --quiet --quiet --yes --no-install-recommends "${missing[@]}"
echo "deps: done"
