// Whether it is worth the while to let this processor compute in bf16.
#pragma once

namespace layerpipe::model::ops {

// Whether the processor multiplies bf16 numbers (AVX512_BF16, which AMX comes with) and LibTorch gives bf16
// convolutions to oneDNN, which it does from AVX-512 on; ONEDNN_MAX_CPU_ISA can forbid it. Where this is
// false, convolutions of bf16 tensors are computed in fp32 and rounded once. The answer never changes within
// a process. Any thread may ask.
bool cpu_has_bf16();

}  // namespace layerpipe::model::ops
