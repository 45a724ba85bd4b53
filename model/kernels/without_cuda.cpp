// The build without a CUDA compiler: no tensor is for these kernels, so the operations use their references
// on every device.
#include <c10/core/impl/VirtualGuardImpl.h>

#include "common/errors.h"
#include "model/kernels/host_pages.h"
#include "model/kernels/kernels.h"

namespace layerpipe::model::kernels {
namespace {

[[noreturn]] void refuse() {
  throw common::InternalError("a CUDA kernel was called, but this build has none");
}

}  // namespace

bool can_pin_read_only(const c10::Device&) {
  return false;
}
bool pin_read_only(void*, std::uint64_t) {
  return false;
}
void unpin(void*) {}
c10::Stream copy_stream(const c10::Device& device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

bool apply_to(const at::Tensor&) {
  return false;
}

std::vector<int> compiled_architectures() {
  return {};
}

int compute_capability(const c10::Device&) {
  return 0;
}

void layer_norm_modulate(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, double) {
  refuse();
}
void rms_norm(const at::Tensor&, const at::Tensor&, const at::Tensor&, double) {
  refuse();
}
void rms_norm_rotate(const at::Tensor&, const at::Tensor&, double, const at::Tensor&, const at::Tensor&) {
  refuse();
}
void gated_residual(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  refuse();
}
void quantise_rows(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  refuse();
}
void find_not_finite(const at::Tensor&, const at::Tensor&) {
  refuse();
}
bool finds_not_finite_in(const at::Tensor&) {
  return false;
}
void l2_norm(const at::Tensor&, const at::Tensor&, const at::Tensor&, Activation) {
  refuse();
}

}  // namespace layerpipe::model::kernels
