#!/usr/bin/env bash
# Runs layerpipe on several ranks, one for each GPU or, on CPUs, as many as are asked for, and leaves its exit code.
#
#   launch/run.sh [-n N] [--hostfile FILE] COMMAND [ARGUMENT...]
#
#   -n N              the number of ranks; without it one for each GPU of this machine (at least one) or, with a
#                     host file, one for each of its slots
#   --hostfile FILE   the machines, one a line: "NAME slots=RANKS". layerpipe lies under the same path on all, and ssh reaches them
#
# Everything from COMMAND on goes to build/layerpipe: launch/run.sh -n 3 decompose --model DIR --image FILE --out DIR
#
# Exit codes: those of layerpipe (0 done, 2 usage or input, 3 does not fit, 4 a rank or its connection failed, 5 internal error,
# 6 results could not be written, 130 interrupted, 143 terminated). Where ranks end differently, the cause counts, not what it led
# to; whatever is not in this list counts as 4. Ctrl-C and SIGTERM end all ranks cleanly; a second one ends them at once.
#
# The ranks of a machine share its cores: OMP_NUM_THREADS is cores / ranks unless it is set.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

PROGRAM="${LAYERPIPE_PROGRAM:-$BUILD/layerpipe}"  # tests run another one

ranks="" hostfile=""
while (($# > 0)); do
  case "$1" in
    -h | --help) print_help; exit 0 ;;
    -n) ranks="${2:-}"; shift 2 || fail 2 "-n needs the number of ranks" ;;
    --hostfile) hostfile="${2:-}"; shift 2 || fail 2 "--hostfile needs a file" ;;
    -*) fail 2 "unknown option $1; launch/run.sh --help lists the options" ;;
    *) break ;;
  esac
done
(($# > 0)) || fail 2 "a command is missing; launch/run.sh --help shows how to call it"
[[ -x "$PROGRAM" ]] || fail 2 "$PROGRAM is missing; launch/build.sh makes it"
[[ -z "$hostfile" || -r "$hostfile" ]] || fail 2 "the host file $hostfile cannot be read"
if [[ -z "$ranks" && -z "$hostfile" ]]; then
  ranks="$(count_gpus)"
  ((ranks > 0)) || ranks=1
fi
[[ -z "$ranks" || "$ranks" =~ ^[1-9][0-9]{0,4}$ ]] || fail 2 "-n needs a number of ranks, not $ranks"
[[ "$ranks" != 1 || -n "$hostfile" ]] || exec "$PROGRAM" "$@"
command -v mpirun >/dev/null || fail 2 "mpirun is missing; launch/setup.sh installs it"

# Where the ranks of this host tell that they ended, and with which code; in a folder below, what they tell each other.
ends="$(mktemp -d)"
trap 'rm -rf -- "$ends"' EXIT
export LAYERPIPE_ENDS="$ends"

# A daemon of mpirun that has lost the others ends by itself after two minutes. launch/rank.sh gets two seconds from SIGTERM on.
options=(--quiet --bind-to none --oversubscribe -x LAYERPIPE_ENDS --mca odls_base_sigkill_timeout 2
  --mca oob_tcp_keepalive_time 60 --mca oob_tcp_keepalive_intvl 10 --mca oob_tcp_keepalive_probes 6)
((EUID != 0)) || options+=(--allow-run-as-root)
[[ -z "$ranks" ]] || options+=(-n "$ranks")
[[ -z "$hostfile" ]] || options+=(--hostfile "$hostfile")

# mpirun answers SIGINT and SIGTERM by killing the ranks, but hands SIGUSR1 and SIGUSR2 on; launch/rank.sh turns them back. In a
# session of its own mpirun does not get the terminal's Ctrl-C directly.
asked=0  # the exit code that a signal asked for
# shellcheck disable=SC2317  # called by the traps
ask() {  # ask CODE SIGNAL
  if ((asked == 0)); then
    asked=$1
    kill -s "$2" "$mpirun" 2>/dev/null || true
  else
    kill -s TERM "$mpirun" 2>/dev/null || true
  fi
}
setsid mpirun "${options[@]}" "$CHECKOUT/launch/rank.sh" "$PROGRAM" "$@" &
mpirun=$!
trap 'ask 130 USR1' INT
trap 'ask 143 USR2' TERM HUP

# mpirun waits for the ranks of a host that is lost, for a quarter of an hour. So it is given ten seconds from where a rank of this
# host has ended with an error.
first_error() { find "$ends" -maxdepth 1 -type f ! -name 0 -printf '%T@ %f\n' 2>/dev/null | sort -n | sed -n '1s/.* //p'; }
watch_the_end() {
  until [[ -n "$(first_error)" ]]; do pause 1; done
  pause 10
  say "mpirun does not end, so it is killed: it waits for a host that does not answer"
  kill -s KILL "$mpirun" 2>/dev/null || true
}
watch_the_end &
watcher=$!

code=0
while true; do
  wait "$mpirun" 2>/dev/null && code=0 || code=$?
  kill -0 "$mpirun" 2>/dev/null || break
done
kill "$watcher" 2>/dev/null || true
wait "$watcher" 2>/dev/null || true
if ((code == 137)); then
  cause="$(first_error)"
  code="${cause:-137}"
fi
case "$code" in
  0 | 2 | 3 | 4 | 5 | 6 | 130 | 143) exit "$code" ;;
esac
((asked == 0)) || exit "$asked"
say "mpirun ended with code $code"
exit 4
