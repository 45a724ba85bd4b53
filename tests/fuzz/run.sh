#!/usr/bin/env bash
# Runs the fuzz targets, and keeps what reaches new code in tests/fuzz/corpus.
#   tests/fuzz/run.sh SECONDS [TARGET...]     each target for so long, all of them by default
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
checkout="$(dirname -- "$(dirname -- "$here")")"
build="${LAYERPIPE_FUZZ_BUILD:-$checkout/build-fuzz}"

usage() { sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[[ "${1:-}" =~ ^[0-9]+$ ]] || usage
seconds="$1"
shift
targets=("$@")
if ((${#targets[@]} == 0)); then
  for source in "$here"/*_fuzz.cpp; do targets+=("$(basename -- "$source" _fuzz.cpp)"); done
fi

cd -- "$checkout"
if ! command -v clang++-14 >/dev/null; then
  echo "run.sh: clang++-14 is not on the PATH" >&2
  echo "  Install it: apt-get install clang-14" >&2
  exit 2
fi
[[ -f "$build/build.ninja" ]] || cmake --preset fuzz
cmake --build "$build" --target "${targets[@]/#/fuzz_}"

export OMP_WAIT_POLICY=passive
# Memory in proportion to the input: nothing takes more than 64 MiB at once, nor 1 GiB in all.
flags=(-rss_limit_mb=1024 -malloc_limit_mb=64 -timeout=10 -max_len=16384)

failed=()
for target in "${targets[@]}"; do
  program="$build/tests/fuzz_$target"
  corpus="$here/corpus/$target"
  work="$build/fuzz/$target"
  mkdir -p "$corpus" "$work/inputs"
  dictionary=()
  [[ ! -f "$here/$target.dict" ]] || dictionary=("-dict=$here/$target.dict")
  echo "==> $target: $seconds s, log in $work/log"
  if ! nice -n 19 "$program" "${flags[@]}" "${dictionary[@]}" -max_total_time="$seconds" -print_final_stats=1 \
    -artifact_prefix="$work/find-" "$work/inputs" "$corpus" >"$work/log" 2>&1; then
    failed+=("$target")
    continue
  fi
  grep -E "DONE|number_of_executed|average_exec" "$work/log" || true

  # The fewest inputs that reach what all of them reach, and every found_*, which once was a find.
  rm -rf "$work/merged"
  mkdir "$work/merged"
  # Merging takes more memory of its own, which the search for leaks would walk over for minutes.
  ASAN_OPTIONS=detect_leaks=0 nice -n 19 "$program" "${flags[@]}" -rss_limit_mb=4096 -detect_leaks=0 \
    -set_cover_merge=1 -use_counters=0 -artifact_prefix="$work/merge-" "$work/merged" "$corpus" "$work/inputs" >"$work/merge.log" 2>&1
  find "$corpus" -type f ! -name 'found_*' -delete
  cp "$work/merged"/* "$corpus"/
  echo "$(find "$corpus" -type f | wc -l) inputs, $(du -sh "$corpus" | cut -f1)"
done

((${#failed[@]} == 0)) && exit 0
for target in "${failed[@]}"; do
  cat >&2 <<END
$target found something: the end of $build/fuzz/$target/log says what, find-* beside it is the input.
  To see it again:    $build/tests/fuzz_$target $build/fuzz/$target/find-...
  To make it smaller: $build/tests/fuzz_$target -minimize_crash=1 -runs=100000 $build/fuzz/$target/find-...
  When it is mended:  keep the input as tests/fuzz/corpus/$target/found_WHAT, so that every later build replays it.
END
done
exit 1
