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
# Whichever process of a run is killed, all end, and a message says which it was.
#
# mpirun is that of Open MPI 4 or 5 on the PATH. Its temporary files go to TMPDIR, or to another place when that one cannot be used.
#
# The ranks of a machine share its cores: OMP_NUM_THREADS is cores / ranks unless it is set.
set -euo pipefail

# Nothing here makes bash wait for a command: it drops a SIGINT that comes meanwhile, when the command ends well, and a trap for it fails
# while bash reads what stands in $( ).
here=.
[[ "${BASH_SOURCE[0]}" != */* ]] || here="${BASH_SOURCE[0]%/*}"
[[ "$here" == /* ]] || here="$PWD/$here"
here="${here%/.}"
BUILD="$here/../build"
[[ "$here" != */launch ]] || BUILD="${here%/launch}/build"
PROGRAM="${LAYERPIPE_PROGRAM:-$BUILD/layerpipe}"  # tests run another one
# The keeper of the same build.
for KEEPER in "${PROGRAM%/*}"/{,../}keeper "$BUILD/keeper"; do
  [[ ! -x "$KEEPER" || -d "$KEEPER" ]] || break
done

fail() {  # fail MESSAGE
  # shellcheck source-path=SCRIPTDIR source=visible.sh
  . "$here/visible.sh"
  visible "$1"
  printf 'error: %s\n' "$REPLY" >&2
  exit 2
}
help() {
  # shellcheck source-path=SCRIPTDIR source=lib.sh
  . "$here/lib.sh"
  print_help
}

ranks="" hostfile=""
while (($# > 0)); do
  case "$1" in
    -h | --help) help; exit 0 ;;
    -n) ranks="${2:-}"; shift 2 || fail "-n needs the number of ranks" ;;
    --hostfile) hostfile="${2:-}"; shift 2 || fail "--hostfile needs a file" ;;
    -*) fail "unknown option $1; launch/run.sh --help lists the options" ;;
    *) break ;;
  esac
done
(($# > 0)) || fail "a command is missing; launch/run.sh --help shows how to call it"
for program in "$PROGRAM" "$KEEPER"; do
  [[ -x "$program" ]] || fail "$program is missing; launch/build.sh makes it"
done
[[ -z "$hostfile" || -r "$hostfile" ]] || fail "the host file $hostfile cannot be read"
if [[ -z "$ranks" && -z "$hostfile" ]]; then
  ranks=0
  while read -r line; do
    [[ "$line" != "GPU "* ]] || ranks=$((ranks + 1))
  done < <(nvidia-smi --list-gpus 2>/dev/null || true)
  ((ranks > 0)) || ranks=1
fi
[[ -z "$ranks" || "$ranks" =~ ^[1-9][0-9]{0,4}$ ]] || fail "-n needs a number of ranks, not $ranks"
[[ "$ranks" != 1 || -n "$hostfile" ]] || exec "$PROGRAM" "$@"
command -v mpirun >/dev/null || fail "mpirun is missing; launch/setup.sh installs it"

# Open MPI 4 and 5 both know these options. A daemon of mpirun that has lost the others ends by itself after two minutes; a keeper gets
# two seconds from SIGTERM on.
options=(--bind-to none --oversubscribe -x LAYERPIPE_ENDS --mca odls_base_sigkill_timeout 2
  --mca oob_tcp_keepalive_time 60 --mca oob_tcp_keepalive_intvl 10 --mca oob_tcp_keepalive_probes 6)
((EUID != 0)) || options+=(--allow-run-as-root)
[[ -z "$ranks" ]] || options+=(-n "$ranks")
[[ -z "$hostfile" ]] || options+=(--hostfile "$hostfile")
exec "$KEEPER" run mpirun "${options[@]}" "$KEEPER" rank "$PROGRAM" "$@"
