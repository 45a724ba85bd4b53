#!/usr/bin/env bash
# torch 2.11.0 (PyPI, CPU with AMX): scaled_dot_product_attention in bf16 compiles kernels for lengths of sequences that it has not
# met, and keeps them for as long as the process lives, for each thread that computes. In fp32 it does not. Nothing gives the memory
# back, and no documented setting bounds it. A user sees a service whose memory grows with each new length of a prompt or size of a
# picture, by 0.1 to 0.6 MiB a thread, and stops growing only when some hundreds of MiB are taken.
#
# Seen with torch 2.11.0+cu130, one thread, one head of 64, on a Xeon with AMX: resident size, malloc_trim() before each look
#   256 new lengths (530 to 785):  fp32 at most 0.2 MiB, bf16 37 MiB; the same lengths once more: nothing
#   1,024 lengths (530 to 1553):   bf16 222 MiB, of which nothing in the last 256
# What layerpipe does about it: it is counted among what does not come back (docs/decisions.md, "What is given back between phases
# and windows?"), and the test of level memory looks at fp32.
#
#   findings/torch_bf16_attention_keeps_kernels.sh
#
# Installs torch into a temporary folder (a download of about 2 GB). Exits with 1 when the behaviour has changed, and with 2 on a
# processor without AMX, which cannot show it.
set -euo pipefail

if ! grep -qw amx_bf16 /proc/cpuinfo; then
  echo "this processor has no amx_bf16" >&2
  exit 2
fi

folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.11.0 numpy

"$folder/venv/bin/python" - <<'PYTHON'
import ctypes
import sys

import torch

torch.set_num_threads(1)
libc = ctypes.CDLL("libc.so.6")


def resident_mib() -> float:
    libc.malloc_trim(0)
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024


def growth(dtype: torch.dtype, lengths: range) -> float:
    before = resident_mib()
    for length in lengths:
        x = torch.randn(1, 1, length, 64).to(dtype)
        torch.nn.functional.scaled_dot_product_attention(x, x, x)
    return resident_mib() - before


for dtype in (torch.float32, torch.bfloat16):  # what is loaded once
    growth(dtype, range(520, 530))
lengths = range(530, 786)
fp32 = growth(torch.float32, lengths)
bf16 = growth(torch.bfloat16, lengths)
again = growth(torch.bfloat16, lengths)
print(f"torch {torch.__version__}: {len(lengths)} new lengths, fp32 {fp32:.1f} MiB, bf16 {bf16:.1f} MiB; once more {again:.1f} MiB")
sys.exit(not (bf16 > 10 and fp32 < 2 and again < 2))
PYTHON
