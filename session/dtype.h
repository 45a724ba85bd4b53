// The precision that a command computes in, and the word for it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "runtime/networks/model_folder.h"

namespace layerpipe::session {

// `word` is a checked --dtype or runtime.dtype (runtime/config/words.h); empty: bf16 on a GPU, fp32 on a CPU.
// In fp8 noise, latents and all that no matrix of e4m3 is part of are bf16.
at::ScalarType dtype_of(const std::string& word, const at::Device& device);
runtime::Linears linears_of(const std::string& word);

// "bf16", "fp32" or "fp8"
const char* word_of(at::ScalarType dtype, runtime::Linears linears);

}  // namespace layerpipe::session
