# bash completion of minivault. What there is to complete, the program's own help says: nothing here to keep up to date
# but the few values that are words.

_minivault_flags() {  # PROGRAM [COMMAND] : of a node a flag a line; of a command wherever its help names them
  if [ $# -eq 1 ]; then
    "$1" -help 2>/dev/null | sed -n -E 's/^  (-[a-z-]+).*/\1/p'
  else
    "$@" -help 2>/dev/null | grep -oE '(^|[[:space:][])-[a-z][a-z-]*' | grep -oE -- '-[a-z][a-z-]*' | sort -u
  fi
}

_minivault_commands() {
  "$1" -help 2>/dev/null | sed -n -E 's/^  minivault ([a-z|-]+) .*/\1/p' | tr '|' '\n' | grep '^[a-z]'
}

_minivault_values() {  # COMMAND PREVIOUS_FLAG : words that may follow, or !files, !directories
  case ${2#-} in
    authmode) echo none writes all ;;
    log-level) echo error warning info debug ;;
    log-format) echo text json ;;
    sync) echo always none interval: ;;
    consistency) echo local quorum ;;
    protocol) echo binary http resp memcache ;;
    distribution) echo uniform zipf ;;
    data) echo !directories ;;
    config | auth-file | file) echo !files ;;
  esac
}

_minivault() {
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local first=${COMP_WORDS[1]} values
  COMPREPLY=()
  if [ "$previous" = = ]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
  if [ "$current" = = ]; then current=''; previous=${COMP_WORDS[COMP_CWORD - 1]}; fi
  [[ $previous == --* ]] && previous=${previous#-}

  values=''
  [[ $previous == -* ]] && values=$(_minivault_values "$first" "$previous")
  case $values in
    '!files') mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    '!directories') mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    ?*) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current"); return ;;
  esac

  if [ "$COMP_CWORD" -eq 1 ] && [[ $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_minivault_commands "$program")" -- "$current")
  elif [[ $current == -* ]]; then
    local help=("$program") dash=''
    [[ $first != -* ]] && help+=("$first")
    [[ $current == --* ]] && dash=-
    mapfile -t COMPREPLY < <(compgen -P "$dash" -W "$(_minivault_flags "${help[@]}")" -- "${current#"$dash"}")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}

complete -o filenames -F _minivault minivault
