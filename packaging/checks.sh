# For packaging/check, packaging/test and packaging/replay-dockerfile: a line for each thing that is checked, and the
# status at the end. To be sourced.

checks_failed=0

# WHAT COMMAND... : the command must succeed.
check() {
  local what=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "ok      $what"
  else
    echo "FAILED  $what"
    printf '%s\n' "$said" | tail -n 20 | sed 's/^/        | /'
    checks_failed=$((checks_failed + 1))
  fi
}

# EXPECTED ACTUAL
same() { [ "$1" = "$2" ] || { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); return 1; }; }
not() { ! "$@"; }

# COMMAND... : until it succeeds; a minute and a half at most, since machines may be busy.
eventually() {
  local left=900
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || { echo "not within 90 s: $*"; return 1; }
    sleep 0.1
  done
}

# ROOT [PACKAGE,...] : a Debian 12 there, with what a container or a machine brings of its own.
debian_root() {
  local root=$1 include=${2:-} mirror=${MINIVAULT_TEST_MIRROR:-http://deb.debian.org/debian}
  local cached=${MINIVAULT_TEST_CACHE:-}/bookworm-${include:-minbase}.tar
  mkdir -p "$root"
  if [ -n "${MINIVAULT_TEST_CACHE:-}" ] && [ -e "$cached" ]; then
    tar --extract --file "$cached" --directory "$root"
    return
  fi
  echo "debootstrap: $root"
  if ! debootstrap --variant=minbase ${include:+--include="$include"} bookworm "$root" "$mirror" >"$root.log" 2>&1; then
    tail "$root.log" >&2
    exit 1
  fi
  [ -z "$(ls "$root/proc")" ] || umount "$root/proc"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  printf 'deb %s bookworm main\ndeb %s-security bookworm-security main\n' "$mirror" "$mirror" >"$root/etc/apt/sources.list"
  [ -z "${MINIVAULT_TEST_CACHE:-}" ] || tar --create --file "$cached" --directory "$root" .
}

checks_end() {
  if [ $checks_failed -gt 0 ]; then echo "$checks_failed checks failed"; exit 1; fi
  echo 'all checks passed'
}
