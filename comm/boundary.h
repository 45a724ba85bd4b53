// What one stage hands to the next: a header and a short list of named tensors.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::comm {

// What the receiver is to do. A skipped microbatch carries no tensors: its request failed or was cancelled,
// and it travels on so that the order of the others is kept.
enum class Action : std::int32_t { kCompute = 0, kSkip = 1 };
const char* to_string(Action action);

struct BoundaryHeader {
  std::int64_t request = 0;
  std::int32_t branch = 0;
  std::int32_t step = 0;
  Action action = Action::kCompute;
  bool operator==(const BoundaryHeader&) const = default;
};

struct NamedTensor {
  std::string name;
  at::Tensor tensor;  // dense and contiguous; may hold no element
};

struct Boundary {
  BoundaryHeader header;
  std::vector<NamedTensor> tensors;

  // The tensor of that name. Throws InternalError when there is none.
  const at::Tensor& at(std::string_view name) const;
  // The same, and throws InternalError with both when its dtype or shape is another.
  const at::Tensor& at(std::string_view name, at::ScalarType dtype, at::IntArrayRef sizes) const;
  std::uint64_t bytes() const;  // of all tensors
};

// A description is at most this long: about 64 tensors with short names.
inline constexpr std::size_t kMaxDescriptionBytes = 4096;

// The description that travels ahead of the tensors' bytes: which boundary of its channel it is, header,
// names, dtypes, shapes. Throws InternalError for what does not travel: a tensor that is not contiguous, of a
// rare dtype, with more than 8 dimensions.
std::vector<std::byte> describe(const Boundary& boundary, std::uint64_t number);
// The boundary described, with tensors allocated as `where` says (device, pinned), their values not set.
// Checks every field against the length of the text; throws PeerFailedError when it is not a description,
// or that of another number: one was lost, and the bytes that come next would belong to it.
Boundary allocate(std::span<const std::byte> description, std::uint64_t number,
                  const at::TensorOptions& where);

// What follows the last description of a channel: that its sender has closed, after so many boundaries.
std::vector<std::byte> describe_end(std::uint64_t number);
// Whether it is that. Throws PeerFailedError when it is the end after another number of boundaries.
bool is_end(std::span<const std::byte> description, std::uint64_t number);

}  // namespace layerpipe::comm
