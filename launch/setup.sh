#!/usr/bin/env bash
# Installs what layerpipe needs and this machine lacks: compilers and libraries through apt (Debian 12, Ubuntu 24.04), LibTorch as
# the PyPI package "torch" into .venv in the checkout. Nothing is downloaded for a torch >= 2.10 that is there already, in the
# python3 on the PATH or in the folder that LibTorch_ROOT names. What apt and pip say goes to build/setup.log.
#
#   launch/setup.sh [--tests] [--reference] [--dev]
#
#   --tests       also GoogleTest, which launch/build.sh --all needs
#   --reference   also diffusers, transformers and what else the parity tests compare with, into .venv; on Debian also chromium, which
#                 a test drives through the viewer's page
#   --dev         also clang-format and shellcheck, which the checks of the sources use
#   --help        this text
#
# Exit codes: 0 everything is there, 2 something is missing that this script may not or cannot install.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

TORCH=torch==2.11.0
REFERENCE="$CHECKOUT/tools/requirements-reference.txt"

tests="" reference="" dev=""  # what is asked for on the command line
LOG="$BUILD/setup.log"

# What is missing, by the names of Debian's packages. Asked of the tools themselves, so that it holds on any distribution.
missing_packages() {
  local tool library libraries
  for tool in g++ cmake ninja:ninja-build ccache pkg-config mpirun:openmpi-bin mpicxx:libopenmpi-dev; do
    command -v "${tool%%:*}" >/dev/null || printf '%s\n' "${tool#*:}"
  done
  libraries=(libpng:libpng-dev libjpeg:libjpeg-dev libwebpdemux:libwebp-dev libheif:libheif-dev libavif:libavif-dev libtiff-4:libtiff-dev
    libgif:libgif-dev lcms2:liblcms2-dev libzip:libzip-dev
    pugixml:libpugixml-dev zlib:zlib1g-dev libpcre2-8:libpcre2-dev libutf8proc:libutf8proc-dev nlohmann_json:nlohmann-json3-dev
    CLI11:libcli11-dev fmt:libfmt-dev libxxhash:libxxhash-dev yaml-cpp:libyaml-cpp-dev)
  [[ -z "$tests" ]] || libraries+=(gtest:libgtest-dev gmock:libgmock-dev)
  for library in "${libraries[@]}"; do
    pkg-config --exists "${library%%:*}" 2>/dev/null || printf '%s\n' "${library#*:}"
  done
  # Where libheif has its decoders apart, as on Ubuntu, what reads pictures of phones is a package of its own.
  if apt-cache show libheif-plugin-libde265 >/dev/null 2>&1 && ! dpkg -s libheif-plugin-libde265 >/dev/null 2>&1; then
    printf '%s\n' libheif-plugin-libde265
  fi
  python3 -c 'import ensurepip, venv' 2>/dev/null || printf '%s\n' python3-venv
  # Elsewhere chromium is no plain package, or has another name; the two tests that want a browser are skipped without.
  if [[ -n "$reference" ]] && grep -qs '^ID=debian$' /etc/os-release; then
    command -v chromium >/dev/null || command -v google-chrome >/dev/null || printf '%s\n' chromium
  fi
  if [[ -n "$dev" ]]; then
    command -v clang-format-14 >/dev/null || printf '%s\n' clang-format-14
    command -v shellcheck >/dev/null || printf '%s\n' shellcheck
  fi
}

supported_distribution() (
  ID="" VERSION_ID=""
  command -v apt-get >/dev/null && [[ -r /etc/os-release ]] || return 1
  # shellcheck source=/dev/null
  . /etc/os-release
  case "$ID" in
    debian) version_at_least "${VERSION_ID:-99}" 12 ;;  # testing has no VERSION_ID
    ubuntu) version_at_least "$VERSION_ID" 24.04 ;;
    *) return 1 ;;
  esac
)

install_packages() {
  local as_root=()
  supported_distribution ||
    fail 2 "these are needed, by the names of Debian's packages; please install what your distribution calls them: $*"
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }; then
      printf 'Packages are missing, and installing them needs rights. Please type, as root:\n\n' >&2
      printf '    apt-get update && apt-get install -y --no-install-recommends %s\n\n' "$*" >&2
      exit 2
    fi
    as_root=(sudo)
  fi
  say "these packages are missing: $*"
  step "$LOG" "bringing the package lists up to date" "${as_root[@]}" apt-get update ||
    say "the package lists could not be brought up to date; the old ones are used"
  step "$LOG" "installing $# packages through apt" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" ||
    fail 2 "apt-get could not install the packages; its own message is above"
}

make_venv() {
  [[ -x "$VENV/bin/python" ]] && return
  # With the packages of the python3 it is made from, so that a torch there need not be downloaded again.
  local options=()
  usable_torch "$(package_of python3)" && options=(--system-site-packages)
  step "$LOG" "making the Python environment .venv" python3 -m venv "${options[@]}" "$VENV" ||
    fail 2 "python3 could not make $VENV; its own message is above"
}

# pip_install TEXT ARGUMENT...
pip_install() {
  local text=$1
  shift
  step "$LOG" "$text" "$VENV/bin/python" -m pip install --progress-bar off --disable-pip-version-check "$@" ||
    fail 2 "pip could not install $*; its own message is above"
}

# Exits with 1 unless the environment has every package of the list in the version that it asks for.
has_reference() {
  [[ -x "$VENV/bin/python" ]] && "$VENV/bin/python" - "$REFERENCE" <<'PYTHON'
import sys
from importlib.metadata import PackageNotFoundError, version
for line in open(sys.argv[1]):
    name, equals, wanted = line.strip().partition("==")
    try:
        if equals and version(name) != wanted:
            sys.exit(1)
    except PackageNotFoundError:
        sys.exit(1)
PYTHON
}

for argument in "$@"; do
  case "$argument" in
    --tests) tests=yes ;;
    --reference) reference=yes ;;
    --dev) dev=yes ;;
    -h | --help) print_help; exit 0 ;;
    *) fail 2 "unknown option $argument; launch/setup.sh --help lists the options" ;;
  esac
done

mkdir -p "$BUILD"
: >"$LOG"
mapfile -t packages < <(missing_packages)
((${#packages[@]} == 0)) || install_packages "${packages[@]}"
cmake_version="$(cmake --version | sed -n '1s/[^0-9]*//p')"
version_at_least "$cmake_version" 3.25 ||
  fail 2 "$(command -v cmake) is version $cmake_version; 3.25 or newer is needed"

if ! torch="$(find_torch)"; then
  make_venv
  say "what pip says goes to $LOG"
  pip_install "installing $TORCH into .venv (a download of about 2 GB unless pip has it already)" "$TORCH"
  torch="$(find_torch)" || fail 2 "the torch that pip installed is not usable; remove $VENV and try again"
fi

if [[ -n "$reference" ]] && ! has_reference; then
  make_venv
  if ! usable_torch "$(package_of "$VENV/bin/python")"; then
    pip_install "installing $TORCH into .venv, because the reference implementations run on it" "$TORCH"
  fi
  pip_install "installing the reference implementations into .venv" --requirement "$REFERENCE"
fi
say "ready; LibTorch is in $torch"
