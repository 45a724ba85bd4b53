// The precision that a command computes in, and the word for it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace layerpipe::session {

// `word` is a checked --dtype or runtime.dtype (runtime/config/words.h); empty: bf16 on a GPU, fp32 on a CPU.
at::ScalarType dtype_of(const std::string& word, const at::Device& device);

// "bf16" or "fp32"
const char* word_of(at::ScalarType dtype);

}  // namespace layerpipe::session
