#!/usr/bin/env bash
# Configures and builds layerpipe; the program is build/layerpipe.
#
#   launch/build.sh [ARGUMENT...]
#
# With nvcc (CUDA 13; looked for in CUDACXX, CUDA_PATH, the PATH and the toolkit's usual folder) the CUDA kernels are compiled too,
# otherwise the program is for CPUs only. Every ARGUMENT goes to cmake's configure step, for example
#   -DLAYERPIPE_CUDA_ARCHITECTURES=90   for one kind of GPU only, which compiles faster
#   -DLAYERPIPE_CUDA=OFF                without the kernels although there is an nvcc
# Arguments for every build can be kept in the environment variable LAYERPIPE_CMAKE_ARGS, separated by blanks.
# CMAKE_BUILD_PARALLEL_LEVEL sets the number of jobs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in -h | --help) print_help; exit 0 ;; esac

preset=cpu
if nvcc="$(find_nvcc)"; then
  preset=cuda
  export CUDACXX="$nvcc"
fi
read -ra always <<<"${LAYERPIPE_CMAKE_ARGS:-}"
export CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(compile_jobs)}"

cd "$CHECKOUT"
say "configuring build/ (preset $preset)"
cmake --preset "$preset" "${always[@]}" "$@"
say "building with $CMAKE_BUILD_PARALLEL_LEVEL jobs"
cmake --build "$BUILD"
