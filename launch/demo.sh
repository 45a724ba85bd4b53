#!/usr/bin/env bash
# Installs what is missing, builds, and takes the demo picture apart with a small model of random weights: the layers it makes show
# that everything works, not what the real model can do. It needs no GPU and no download of weights.
#
#   launch/demo.sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

MODEL="$CHECKOUT/tests/data/parity/plain/model"
IMAGE="$CHECKOUT/demo/pictures/poster.png"
OUT="$CHECKOUT/out/demo"
SETTINGS=(--prompt "a poster" --resolution 256 --any-resolution --layers 3 --steps 10)

case "${1:-}" in
  -h | --help) print_help; exit 0 ;;
  "") ;;
  *) fail 2 "launch/demo.sh takes no arguments; for other pictures and settings see build/layerpipe decompose --help" ;;
esac

"$CHECKOUT/launch/setup.sh"
"$CHECKOUT/launch/build.sh"
command=("$BUILD/layerpipe" decompose --model "$MODEL" --image "$IMAGE" --out "$OUT" "${SETTINGS[@]}")
say "running: ${command[*]@Q}"
"${command[@]}"
say "the layers, from back to front, and their composite are in $OUT:"
find "$OUT" -maxdepth 1 -name '*.png' -printf '    %f\n' | sort >&2
