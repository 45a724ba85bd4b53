# shellcheck shell=bash
# Texts that come from a path, an option or the environment, as a terminal may show them. To be sourced, with bash.

# Sets REPLY to TEXT; where that has characters that a terminal obeys, or that show their neighbours elsewhere (the list is that of
# common/visible.cpp), to TEXT as bash quotes it, byte by byte.
visible() {  # visible TEXT
  local LC_ALL=C form
  REPLY="$1"
  for form in '*[[:cntrl:]]*' \
    $'*\302[\200-\237\255]*' $'*\330\234*' $'*\341\240\216*' $'*\342\200[\213\216\217\250-\256]*' $'*\342\201[\240-\257]*' \
    $'*\357\273\277*' $'*\357\277[\271-\273]*' $'*\363\240[\200\201]*' \
    $'[\200-\277\370-\377]*' $'*[\001-\177][\200-\277]*' $'*[\370-\377]*'; do  # the last three are no UTF-8
    # shellcheck disable=SC2053  # it is a pattern
    [[ "$REPLY" == $form ]] || continue
    REPLY="${REPLY@Q}"
    return
  done
}
