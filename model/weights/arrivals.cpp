#include "model/weights/arrivals.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <utility>

#include "model/kernels/kernels.h"
#include "model/weights/safetensors.h"
#include "model/weights/tensor_source.h"

namespace layerpipe::model {
namespace {

// More than a block has.
constexpr std::size_t kMost = 64;

}  // namespace

bool Arrivals::takes(const at::Tensor& tensor) {
  return kernels::finds_not_finite_in(tensor);
}

void Arrivals::add(const at::Tensor& tensor, const std::string& where, const std::string& name,
                   const common::InputFile* file) {
  if (entries_.size() == kMost) check();
  entries_.push_back({where, name, tensor});
  if (file != nullptr && std::ranges::find(files_, file) == files_.end()) files_.push_back(file);
  if (!uploader_) look(entries_.back(), entries_.size() - 1);
}

void Arrivals::look(Entry& entry, std::size_t number) {
  if (!found_.defined()) {
    const auto flags = at::TensorOptions().dtype(at::kInt);
    found_ = at::zeros({static_cast<std::int64_t>(kMost)}, flags.device(device_));
    seen_ = at::empty({static_cast<std::int64_t>(kMost)}, flags.pinned_memory(true));
  }
  kernels::find_not_finite(found_.narrow(0, static_cast<std::int64_t>(number), 1), entry.unseen);
  entry.unseen.reset();
}

void Arrivals::check() {
  std::vector<Entry> entries = std::exchange(entries_, {});
  const std::vector<const common::InputFile*> files = std::exchange(files_, {});
  if (uploader_) uploader_->arrive();
  if (entries.empty()) return;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].unseen.defined()) look(entries[i], i);
  }
  seen_.copy_(found_, /*non_blocking=*/true);
  found_.zero_();
  c10::impl::VirtualGuardImpl(device_.type()).getStream(device_).synchronize();
  // A file that has changed explains all else.
  for (const common::InputFile* file : files) check_unchanged(*file);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (seen_.const_data_ptr<int>()[i] != 0) refuse_values(entries[i].where, entries[i].name);
  }
}

}  // namespace layerpipe::model
