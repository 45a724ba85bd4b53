#!/usr/bin/env bash
# Installs what is missing, builds, and takes a poster apart with the small model in demo/model, which was trained on drawn scenes:
# its layers show what the program does, not how well the real model does it. It needs no GPU and no download of weights.
#
#   launch/demo.sh
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

MODEL="$CHECKOUT/demo/model"
IMAGE="$CHECKOUT/demo/pictures/moonlight.png"
OUT="$CHECKOUT/out/demo"
SETTINGS=(--prompt "A large cream circle, a red boat and white letters above purple hills under a navy sky." --resolution 256 --any-resolution
  --layers 4 --steps 20 --no-cfg)

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
