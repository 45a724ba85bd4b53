#!/usr/bin/env bash
# The one test command: installs what is missing, builds program, tests and benchmarks, runs all tests, names the ones that were
# skipped and why.
#
#   launch/test.sh [--no-reference] [--cuda] [ARGUMENT...]
#
#   --no-reference   do not install diffusers and transformers; tests that compare with them live are skipped
#   --cuda           compile the CUDA kernels although this machine has no GPU (launch/build.sh --help)
#
# Every ARGUMENT goes to ctest, for example -L unit or -R tokenizer. The exit code is that of ctest, whose results lie in
# build/Testing/results.xml (JUnit) afterwards.
# LAYERPIPE_CMAKE_ARGS is passed on to the build (launch/build.sh --help).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

setup=(--tests --reference) build=(--all)
while (($#)); do
  case "$1" in
    -h | --help) print_help; exit 0 ;;
    --no-reference) setup=(--tests) ;;
    --cuda) build+=(--cuda) ;;
    *) break ;;
  esac
  shift
done

"$CHECKOUT/launch/setup.sh" "${setup[@]}"
reference_python=""
if "$VENV/bin/python" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("diffusers"))' 2>/dev/null; then
  reference_python="$VENV/bin/python"
fi
"$CHECKOUT/launch/build.sh" "${build[@]}" "-DLAYERPIPE_REFERENCE_PYTHON=$reference_python"

say "running the tests"
# ctest's summary is held back until the skipped tests have been named, so that it closes the output.
results="$BUILD/Testing/results.xml"
summary="$BUILD/Testing/summary.txt"
mkdir -p "$BUILD/Testing"
rm -f "$results"
: >"$summary"
show() {
  local line closing=""
  while IFS= read -r line; do
    [[ "$line" == *"tests passed, "*"tests failed out of "* ]] && closing=yes
    if [[ -n "$closing" ]]; then printf '%s\n' "$line" >>"$summary"; else printf '%s\n' "$line"; fi
  done
}
code=0
ctest --test-dir "$BUILD" --output-on-failure --no-tests=error --parallel "$(nproc)" --output-junit "$results" "$@" |
  show || code=${PIPESTATUS[0]}
[[ ! -f "$results" ]] || python3 "$CHECKOUT/launch/skipped_tests.py" "$results"
cat "$summary"
exit "$code"
