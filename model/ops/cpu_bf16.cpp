#include "model/ops/cpu_bf16.h"

#include <ATen/core/dispatch/Dispatcher.h>

namespace layerpipe::model::ops {
namespace {

// LibTorch's C++ headers do not declare this function, which torch.ops.mkldnn offers to Python.
bool libtorch_passes_bf16_to_onednn() {
  const auto function = c10::Dispatcher::singleton().findSchema({"mkldnn::_is_mkldnn_bf16_supported", ""});
  return function && function->typed<bool()>().call();
}

}  // namespace

bool cpu_has_bf16() {
  static const bool answer = __builtin_cpu_supports("avx512bf16") != 0 && libtorch_passes_bf16_to_onednn();
  return answer;
}

}  // namespace layerpipe::model::ops
