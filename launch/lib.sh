# shellcheck shell=bash
# What the scripts in launch/ share. To be sourced, with bash, by a script that lies in launch/.

CHECKOUT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$CHECKOUT/.venv"
# shellcheck disable=SC2034  # used by the scripts that source this one
BUILD="$CHECKOUT/build"

# Caches stay in the checkout too, unless the user has said where they are.
export CCACHE_DIR="${CCACHE_DIR:-$CHECKOUT/.cache/ccache}"
[[ -n "${PIP_CACHE_DIR:-}" ]] || export PIP_NO_CACHE_DIR=1

# cmake/FindLibTorch.cmake looks for a torch in the same places and asks the same of it.
MIN_TORCH=2.10
CUDA_MAJOR=13

# shellcheck source-path=SCRIPTDIR source=visible.sh
. "$CHECKOUT/launch/visible.sh"

say() {
  local REPLY
  visible "$*"
  printf '==> %s\n' "$REPLY" >&2
}
fail() {  # fail CODE MESSAGE...
  local code=$1
  shift
  visible "$*"
  printf 'error: %s\n' "$REPLY" >&2
  exit "$code"
}

# step LOG TEXT COMMAND...: runs the command, whose output is appended to the file LOG, and prints one line: the text and, at the end,
# the seconds that it took. Where the command fails, the end of its output and the name of the log follow, and its exit code is
# returned.
step() {
  local log=$1 text=$2 started=$SECONDS code=0 from
  shift 2
  printf '==> %s ... ' "$text" >&2
  mkdir -p -- "$(dirname -- "$log")"
  printf '==> %s: %s\n' "$text" "${*@Q}" >>"$log"
  from=$(($(wc -l <"$log") + 1))
  "$@" </dev/null >>"$log" 2>&1 || code=$?
  if ((code == 0)); then
    printf '%d s\n' $((SECONDS - started)) >&2
    return
  fi
  printf 'failed after %d s\n' $((SECONDS - started)) >&2
  tail -n +"$from" -- "$log" | tail -n 60 >&2
  say "$1 ended with code $code; its whole output is in $log"
  return "$code"
}

# The comment at the top of a script is its help.
print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

# version_at_least HAVE WANTED: compares dotted numbers.
version_at_least() { [[ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]; }

# How many GPUs of NVIDIA this machine has.
count_gpus() { nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU' || true; }

# Prints the path of an nvcc that the project can use; says why when there is one that it cannot.
find_nvcc() {
  local nvcc version
  for nvcc in "${CUDACXX:-}" "${CUDA_PATH:+$CUDA_PATH/bin/nvcc}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
    nvcc="$(command -v -- "${nvcc:-/nonexistent}" || true)"
    [[ -n "$nvcc" ]] || continue
    version="$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')"
    if [[ "${version%%.*}" == "$CUDA_MAJOR" ]]; then
      printf '%s\n' "$nvcc"
      return 0
    fi
    say "$nvcc is of CUDA ${version:-unknown}, but layerpipe needs CUDA $CUDA_MAJOR; it is not used"
  done
  return 1
}

# package_of PYTHON: the folder of its torch, without importing it.
package_of() {
  "$1" -c 'import importlib.util as u, os
s = u.find_spec("torch")
print(os.path.dirname(s.origin) if s and s.origin else "")' 2>/dev/null || true
}

# usable_torch FOLDER: whether the torch package there is new enough and, when there is an nvcc, was built for its CUDA.
usable_torch() {
  local version cuda
  [[ -f "$1/version.py" && -f "$1/lib/libtorch_cpu.so" ]] || return 1
  version="$(sed -n "s/^__version__ = '\([0-9.]*[0-9]\).*/\1/p" "$1/version.py")"
  version_at_least "$version" "$MIN_TORCH" || return 1
  cuda="$(sed -n "s/^cuda[ :].*= '\([0-9]*\).*/\1/p" "$1/version.py")"
  [[ "$cuda" == "$CUDA_MAJOR" ]] || ! find_nvcc >/dev/null 2>&1
}

# Prints the folder of the torch package that the build will use.
find_torch() {
  local folder
  for folder in "${LibTorch_ROOT:-}" "$(package_of "$VENV/bin/python")" "$(package_of python3)"; do
    if usable_torch "$folder"; then
      printf '%s\n' "$folder"
      return 0
    fi
  done
  return 1
}

# Jobs to compile with: one for each core, but 2 GiB of free memory for each.
compile_jobs() {
  local cores by_memory
  cores="$(nproc)"
  by_memory="$(awk '/^MemAvailable:/ {print int($2 / 2097152)}' /proc/meminfo)"
  local jobs=$((by_memory < cores ? by_memory : cores))
  printf '%s\n' $((jobs > 1 ? jobs : 1))
}
