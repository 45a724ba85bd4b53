#!/usr/bin/env bash
# Installs what is missing, builds the program, takes the pictures in demo/pictures apart with the small model in demo/model, and puts
# all results on one sheet. The model was trained on drawn scenes: its layers show what the program does, not how well the real model
# does it. Needs no GPU and no download of weights.
#
#   launch/demo.sh [--cuda] [--built FOLDER] [--out FOLDER]
#
#   --cuda           compile the CUDA kernels although this machine has no GPU (launch/build.sh --help)
#   --built FOLDER   run the programs in FOLDER; nothing is installed or built (the tests do this)
#   --out FOLDER     where layers and sheet go (default: out/demo in the checkout)
#   --help           this text
#
# A file NAME.txt beside a picture says what it shows.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

SETTINGS=(--resolution 256 --any-resolution --layers 4 --steps 20 --no-cfg)
built="" out="$CHECKOUT/out/demo" build_options=()
while (($#)); do
  case "$1" in
    -h | --help) print_help; exit 0 ;;
    --cuda) build_options=(--cuda); shift ;;
    --built | --out)
      (($# > 1)) || fail 2 "$1 needs a folder"
      if [[ "$1" == --built ]]; then built="$2"; else out="$2"; fi
      shift 2 ;;
    *) fail 2 "unknown argument $1; for other pictures and settings see build/layerpipe decompose --help" ;;
  esac
done

if [[ -z "$built" ]]; then
  "$CHECKOUT/launch/setup.sh"
  "$CHECKOUT/launch/build.sh" "${build_options[@]}"
  built="$BUILD"
fi

started=$SECONDS
sheet="$out/sheet.png"
rows=()
for picture in "$CHECKOUT"/demo/pictures/*.png; do
  name="$(basename -- "$picture" .png)"
  command=("$built/layerpipe" decompose --model "$CHECKOUT/demo/model" --image "$picture" --out "$out/$name"
    --prompt "$(<"${picture%.png}.txt")" "${SETTINGS[@]}")
  say "running: ${command[*]@Q}"
  "${command[@]}"
  rows+=("$picture" "$out/$name")
done
"$built/contact_sheet" "$sheet" "${rows[@]}"
say "took $((${#rows[@]} / 2)) pictures apart in $((SECONDS - started)) s; their layers, from back to front, are in the folders above"
say "each picture, its layers and their composite side by side: $sheet"
