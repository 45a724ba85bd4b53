#!/usr/bin/env bash
# torch 2.11.0 (PyPI, CPU): a bf16 convolution takes about a hundred times as long as the same one in fp32 where oneDNN may not
# use AVX-512. No warning is given, and the result is right. A user sees it as a VAE that takes minutes on a processor with AVX2.
#
# Seen with torch 2.11.0+cu130, one thread, Conv2d of 96 channels, 3 x 3, on 128 x 128 (a layer of Qwen-Image's VAE):
#   a Xeon with AMX and AVX512_BF16:            fp32 24.4 ms, bf16 4.8 ms
#   the same, ONEDNN_MAX_CPU_ISA=AVX2:          fp32 37.3 ms, bf16 5853 ms
# What layerpipe does about it: model/ops/cpu_bf16.h, docs/decisions.md ("How does the VAE convolve in bf16 ...").
#
#   findings/torch_bf16_convolution_without_bf16.sh
#
# Installs torch into a temporary folder (a download of about 2 GB). Exits with 1 when the behaviour has changed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.11.0 numpy

ONEDNN_MAX_CPU_ISA=AVX2 "$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

import torch

torch.set_num_threads(1)


def seconds(dtype: torch.dtype) -> float:
    convolution = torch.nn.Conv2d(96, 96, 3, padding=1).to(dtype)
    picture = torch.randn(1, 96, 128, 128).to(dtype)
    with torch.no_grad():
        convolution(picture)
        start = time.process_time()
        convolution(picture)
        return time.process_time() - start


fp32, bf16 = seconds(torch.float32), seconds(torch.bfloat16)
print(f"torch {torch.__version__}: fp32 {1e3 * fp32:.1f} ms, bf16 {1e3 * bf16:.1f} ms, {bf16 / fp32:.0f} times as long")
sys.exit(bf16 < 20 * fp32)
PYTHON
