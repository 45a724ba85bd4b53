#include "session/dtype.h"

namespace layerpipe::session {
namespace {

constexpr const char* kFp8 = "fp8";

}  // namespace

at::ScalarType dtype_of(const std::string& word, const at::Device& device) {
  if (word.empty()) return device.is_cpu() ? at::kFloat : at::kBFloat16;
  return word == "fp32" ? at::kFloat : at::kBFloat16;
}

runtime::Linears linears_of(const std::string& word) {
  return word == kFp8 ? runtime::Linears::kFp8 : runtime::Linears::kAsStored;
}

const char* word_of(at::ScalarType dtype, runtime::Linears linears) {
  if (linears == runtime::Linears::kFp8) return kFp8;
  return dtype == at::kBFloat16 ? "bf16" : "fp32";
}

}  // namespace layerpipe::session
