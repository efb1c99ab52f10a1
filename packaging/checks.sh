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

checks_end() {
  if [ $checks_failed -gt 0 ]; then echo "$checks_failed checks failed"; exit 1; fi
  echo 'all checks passed'
}
