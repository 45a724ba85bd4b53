#!/usr/bin/env bash
# ptxas (CUDA 13.0 to 13.5): `wgmma.wait_group` moves in front of arithmetic that stands before it. In the PTX of a kernel a product
# is started (wgmma.mma_async), powers of other registers are raised (ex2), and then the product is waited for, so that both work at a
# time. In the machine code the wait (WARPGROUP.DEPBAR) comes right behind the product (HGMMA), and all 32 powers (MUFU.EX2) behind it:
# the tensor cores are idle while they are raised. That `asm volatile` keeps the order holds for the PTX alone. Nothing warns: there is
# no spill and none of the messages about products that run one by one (C7510 and those near it).
#
# Seen with nvcc and ptxas 13.0.88 and 13.5.37, sm_90a:
#   PTX:  wgmma, 32 ex2, wait_group     SASS: HGMMA, WARPGROUP.DEPBAR, 32 MUFU.EX2
# What layerpipe does about it: its attention for Hopper GPUs (model/kernels/flash_attention.cu) has an exit behind the softmax that depends on
# it, and that nobody takes; with it, and two products in flight, the powers stay under the second one.
#
#   findings/ptxas_waits_for_wgmma_before_other_arithmetic.sh
#
# Installs compilers and a disassembler from PyPI into a temporary folder (a download of 150 MB), on x86-64; needs g++ and no GPU. Exits with 1
# when the behaviour has changed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT

python3 - "$folder" <<'PYTHON'
import sys
from pathlib import Path

COUNT = 32
sums = ", ".join(f"%{i}" for i in range(COUNT))
operands = ", ".join(f'"+f"(sum[{i}])' for i in range(COUNT))
Path(sys.argv[1], "kernel.cu").write_text(f"""
__device__ float power(float x) {{
  float y;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}}
__global__ void __launch_bounds__(128, 1) kernel(float* out, const float* in, unsigned long long a, unsigned long long b, int rounds) {{
  float sum[{COUNT}] = {{}};
  float other[{COUNT}];
  for (int i = 0; i < {COUNT}; ++i) other[i] = in[threadIdx.x + 128 * i];
  for (int round = 0; round < rounds; ++round) {{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    asm volatile("{{.reg .pred adds; setp.eq.u32 adds, 0, 0;"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{{sums}}}, %{COUNT}, %{COUNT + 1}, adds, 1, 1, 0, 0;}}"
                 : {operands} : "l"(a), "l"(b));
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    float most = other[0];
    for (int i = 1; i < {COUNT}; ++i) most = fmaxf(most, other[i]);
    most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
    float total = 0;
    for (int i = 0; i < {COUNT}; ++i) total += other[i] = power(other[i] - most);
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    for (int i = 0; i < {COUNT}; ++i) asm volatile("" : "+f"(sum[i]) :: "memory");
    for (int i = 0; i < {COUNT}; ++i) sum[i] *= other[i] + total;
  }}
  for (int i = 0; i < {COUNT}; ++i) out[threadIdx.x + 128 * i] = sum[i] + other[i];
}}
""")
PYTHON

# What of a text comes in which order: "wgmma 32*ex2 wait".
order() {
  grep -oE "$1" | uniq -c | awk '{printf "%s%s", separator, $1 == 1 ? $2 : $1 "*" $2; separator = " "}'
}

changed=0
expect() {
  printf '%s: %s\n' "$1" "$2"
  [[ "$2" == "$3" ]] || { printf '  expected: %s\n' "$3"; changed=1; }
}

for version in 13.0.88 13.5.37; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/python" -m pip install --quiet --disable-pip-version-check "nvidia-cuda-nvcc==$version" "nvidia-nvvm==$version" \
    "nvidia-cuda-crt==$version" nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-cuda-nvdisasm==13.5.37
  packages="$("$folder/$version/bin/python" -c 'import nvidia; print(list(nvidia.__path__)[0])')/cu13"
  chmod +x "$packages"/bin/* "$packages"/nvvm/bin/* 2>/dev/null || true
  "$packages/bin/nvcc" -std=c++17 -O3 --gpu-architecture=compute_90a -I "$packages/include" --ptx -o "$folder/kernel.ptx" "$folder/kernel.cu"
  "$packages/bin/ptxas" -O3 --gpu-name=sm_90a -o "$folder/kernel.cubin" "$folder/kernel.ptx"
  expect "$version, PTX " "$(order 'wgmma\.mma_async|ex2\.approx|wgmma\.wait_group' <"$folder/kernel.ptx")" \
    'wgmma.mma_async 32*ex2.approx wgmma.wait_group'
  expect "$version, SASS" "$("$packages/bin/nvdisasm" -c "$folder/kernel.cubin" | order 'HGMMA|MUFU\.EX2|WARPGROUP\.DEPBAR')" \
    'HGMMA WARPGROUP.DEPBAR 32*MUFU.EX2'
done
exit "$changed"
