#include "session/dtype.h"

namespace layerpipe::session {

at::ScalarType dtype_of(const std::string& word, const at::Device& device) {
  if (word.empty()) return device.is_cpu() ? at::kFloat : at::kBFloat16;
  return word == "bf16" ? at::kBFloat16 : at::kFloat;
}

const char* word_of(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? "bf16" : "fp32";
}

}  // namespace layerpipe::session
