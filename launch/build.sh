#!/usr/bin/env bash
# Configures and builds layerpipe; the program is build/layerpipe.
#
#   launch/build.sh [--all] [--cuda] [ARGUMENT...]
#
#   --all    also the tests and the benchmarks, for which launch/setup.sh --tests has installed GoogleTest; without it, what
#            launch/demo.sh runs: the program, and the one that makes its contact sheet
#   --cuda   also the CUDA kernels, which need nvcc (CUDA 13; looked for in CUDACXX, CUDA_PATH, the PATH and the toolkit's usual
#            folder). Without it they are compiled where this machine has a GPU and an nvcc, and where build/ has them already
#   --help   this text
#
# Every ARGUMENT goes to cmake's configure step, for example
#   -DLAYERPIPE_CUDA_ARCHITECTURES=90   for one kind of GPU only, which compiles faster
#   -DLAYERPIPE_CUDA=OFF                without the kernels although there is a GPU
# Arguments for every build can be kept in the environment variable LAYERPIPE_CMAKE_ARGS, separated by blanks.
# CMAKE_BUILD_PARALLEL_LEVEL sets the number of jobs. The output of cmake and of the compilers goes to build/build.log.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

all="" cuda=""
while (($#)); do
  case "$1" in
    -h | --help) print_help; exit 0 ;;
    --all) all=yes ;;
    --cuda) cuda=yes ;;
    *) break ;;
  esac
  shift
done

# What build/ was last configured with; nothing where it has not been.
configured() { sed -n "s/^$1:[A-Z]*=//p" "$BUILD/CMakeCache.txt" 2>/dev/null || true; }

preset=cpu kernels="they are not compiled, since this machine has no GPU; --cuda compiles them"
if [[ -n "$cuda" ]]; then
  wanted="since --cuda asks for them"
elif (($(count_gpus) > 0)); then
  wanted="since this machine has a GPU"
elif [[ "$(configured LAYERPIPE_CUDA)" == ON ]]; then
  wanted="since build/ was configured with them"
else
  wanted=""
fi
if [[ -n "$wanted" ]]; then
  if nvcc="$(find_nvcc)"; then
    preset=cuda kernels="they are compiled, $wanted"
    export CUDACXX="$nvcc"
  elif [[ -n "$cuda" ]]; then
    fail 2 "--cuda needs nvcc of CUDA $CUDA_MAJOR, and there is none; CUDACXX can name it"
  else
    kernels="they are not compiled, since there is no nvcc of CUDA $CUDA_MAJOR; the program will run on the CPU only"
  fi
fi
say "CUDA kernels: $kernels"

read -ra always <<<"${LAYERPIPE_CMAKE_ARGS:-}"
export CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(compile_jobs)}"
what="the program, the tests and the benchmarks"
parts=(-DLAYERPIPE_TESTS=ON -DLAYERPIPE_BENCHMARKS=ON)
targets=()
if [[ -z "$all" ]]; then
  what="the program (--all builds tests and benchmarks too)"
  targets=(--target layerpipe contact_sheet)
  # A folder that has tests keeps them: what is compiled of them stays of use.
  [[ -z "$(configured LAYERPIPE_TESTS)" ]] || parts=()
  [[ "${#parts[@]}" == 0 ]] || parts=(-DLAYERPIPE_TESTS=OFF -DLAYERPIPE_BENCHMARKS=OFF)
fi

log="$BUILD/build.log"
say "the output of cmake and of the compilers goes to $log"
mkdir -p "$BUILD"
: >"$log"
cd "$CHECKOUT"
step "$log" "configuring build/ (preset $preset)" cmake --preset "$preset" "${parts[@]}" "${always[@]}" "$@"
step "$log" "building $what with $CMAKE_BUILD_PARALLEL_LEVEL jobs" cmake --build "$BUILD" "${targets[@]}"
