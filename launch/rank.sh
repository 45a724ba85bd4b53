#!/usr/bin/env bash
# One rank under launch/run.sh: starts the program, and sees to it that mpirun does not end the others too early.
#
#   launch/rank.sh PROGRAM [ARGUMENT...]
#
# mpirun kills all ranks as soon as one ends with an error, and takes the first one's exit code for its own. So the end of a rank is
# held back: by a second when it knows the cause, by two when another rank was the cause, and for longer than the run's timeout
# (--timeout, or comm.timeout of the config file) when it was killed or broke, so that the others notice, say which rank it was, and
# end by themselves. The ranks of its host are told of that at once, through a file (comm/rank_folder.h), and tell those of others.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# The program writes its timeout there, in whole seconds, once it knows it.
export LAYERPIPE_TIMEOUT_FILE
LAYERPIPE_TIMEOUT_FILE="$(mktemp)"

# Where the ranks of this host see each other: in run.sh's folder on its host, which removes it, in one like it on others.
rank="${OMPI_COMM_WORLD_RANK:-0}"
export LAYERPIPE_RANKS=""  # none where mpirun was called without run.sh
is_own_folder=""
if [[ -d "${LAYERPIPE_ENDS:-}" ]]; then
  LAYERPIPE_RANKS="$LAYERPIPE_ENDS/ranks"
elif [[ -n "${LAYERPIPE_ENDS:-}" ]]; then
  LAYERPIPE_RANKS="$LAYERPIPE_ENDS.ranks" is_own_folder=yes
fi
# tell_ranks KIND TEXT: writes a file of this rank, so that it is there at once and whole.
tell_ranks() {
  [[ -n "$LAYERPIPE_RANKS" ]] || return 0
  { printf '%s\n' "$2" >"$LAYERPIPE_RANKS/.$1.$rank" && mv -f -- "$LAYERPIPE_RANKS/.$1.$rank" "$LAYERPIPE_RANKS/$1.$rank"; } || true
}
# shellcheck disable=SC2317  # called by the trap
clean_up() {
  rm -f -- "$LAYERPIPE_TIMEOUT_FILE"
  [[ -n "$is_own_folder" ]] || return 0
  rm -f -- "$LAYERPIPE_RANKS"/{here,alive,inside,dead}."$rank"
  # By the last one.
  compgen -G "$LAYERPIPE_RANKS/here.*" >/dev/null || { rm -f -- "$LAYERPIPE_RANKS/failed"; rmdir -- "$LAYERPIPE_RANKS" 2>/dev/null; } || true
}
trap clean_up EXIT
[[ -z "$LAYERPIPE_RANKS" ]] || mkdir -p -- "$LAYERPIPE_RANKS" || LAYERPIPE_RANKS=""
tell_ranks here "$(uname -n)"

child=""
# shellcheck disable=SC2317  # called by the traps
send() { [[ -z "$child" ]] || kill -s "$1" "$child" 2>/dev/null || true; }
# A rank that is writing a file gets the time to finish it, or to take away what it has written.
# shellcheck disable=SC2317  # called by the traps
end_the_run() {
  local end=$((SECONDS + 2))
  while [[ -n "$child" ]] && kill -0 "$child" 2>/dev/null && ((SECONDS < end)); do pause 0.2; done
  send KILL
  exit 143
}
# run.sh sends these through mpirun in place of SIGINT and SIGTERM. SIGTERM itself is mpirun's: the end of the run.
trap 'send INT' USR1
trap 'send TERM' USR2
trap end_the_run TERM

# The ranks of a machine share its cores; threads that wait by spinning would take them from one another.
if [[ -z "${OMP_NUM_THREADS:-}" ]]; then
  cores="$(nproc)"
  threads=$((cores / ${OMPI_COMM_WORLD_LOCAL_SIZE:-1}))
  export OMP_NUM_THREADS=$((threads > 1 ? threads : 1))
fi
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

# Multicast is for collectives, of which there are none; its buffers would cost memory.
export NCCL_NVLS_ENABLE="${NCCL_NVLS_ENABLE:-0}"

# The program must not see what is meant for this script.
(trap '' USR1 USR2; exec "$@") &
child=$!
code=0
while true; do
  wait "$child" 2>/dev/null && code=0 || code=$?
  kill -0 "$child" 2>/dev/null || break
done
# When a signal ended the last wait, and the child was gone before the next one, its own code is still to be had.
((code <= 128)) || { wait "$child" 2>/dev/null && late=0 || late=$?; ((late == 127)) || code=$late; }
child=""

# How long the others may take to notice that this rank is dead, and a margin. It is not theirs to notice when the rank had not come to
# where it meets them.
grace=1
if read -r timeout <"$LAYERPIPE_TIMEOUT_FILE"; then grace=$((timeout + 15)); fi

# Tells run.sh, if it is on this host. An empty file, so that it is there at once and whole.
tell_the_end() { [[ ! -d "${LAYERPIPE_ENDS:-}" || -e "$LAYERPIPE_ENDS/$1" ]] || : >"$LAYERPIPE_ENDS/$1" || true; }

case "$code" in
  0) ;;
  2 | 3 | 6 | 130 | 143) pause 1 ;;
  4) pause 2 ;;
  5) pause 4 ;;  # after those that were told of it
  *)
    how="ended with code $code"
    ((code <= 128)) || how="was killed by signal $((code - 128))"
    tell_ranks dead "$how"
    pause "$grace"
    printf 'layerpipe: rank %s on host %s %s\n' "$rank" "$(uname -n)" "$how" >&2
    code=4
    ;;
esac
tell_the_end "$code"
exit "$code"
