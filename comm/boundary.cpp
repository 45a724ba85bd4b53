#include "comm/boundary.h"

#include <ATen/ops/empty.h>
#include <c10/core/ScalarType.h>

#include <algorithm>

#include "comm/wire.h"
#include "common/errors.h"

namespace layerpipe::comm {
namespace {

// "LPB1": what begins a description, and its version.
constexpr std::uint32_t kMagic = 0x3142504c;
constexpr std::uint32_t kEndMagic = 0x3145504c;
constexpr std::uint32_t kMaxTensors = 64;
constexpr std::uint8_t kMaxDimensions = 8;

bool can_travel(c10::ScalarType type) {
  switch (type) {
    case at::kByte:
    case at::kChar:
    case at::kInt:
    case at::kLong:
    case at::kBool:
    case at::kHalf:
    case at::kBFloat16:
    case at::kFloat:
    case at::kDouble:
    case at::kFloat8_e4m3fn:
      return true;
    default:
      return false;
  }
}

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(sizes[i]);
  return text + "]";
}

// Dimensions whose product, in bytes, is a number of 63 bits.
std::vector<std::int64_t> read_sizes(WireReader& reader, std::int64_t element_bytes) {
  const auto dimensions = reader.number<std::uint8_t>();
  WireReader::require(dimensions <= kMaxDimensions, "a tensor with too many dimensions");
  std::vector<std::int64_t> sizes(dimensions);
  std::int64_t bytes = element_bytes;
  for (std::int64_t& size : sizes) {
    size = reader.number<std::int64_t>();
    WireReader::require(size >= 0, "a tensor with a negative dimension");
    const bool overflow = __builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes);
    WireReader::require(!overflow, "a tensor that is too large");
  }
  return sizes;
}

}  // namespace

const char* to_string(Action action) {
  return action == Action::kCompute ? "compute" : "skip";
}

const at::Tensor& Boundary::at(std::string_view name) const {
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == name) return tensor.tensor;
  }
  throw common::InternalError("a boundary has no tensor " + std::string(name));
}

const at::Tensor& Boundary::at(std::string_view name, at::ScalarType dtype, at::IntArrayRef sizes) const {
  const at::Tensor& tensor = at(name);
  if (tensor.scalar_type() != dtype || tensor.sizes() != sizes) {
    throw common::InternalError("a boundary's tensor " + std::string(name) + " is " +
                                c10::toString(tensor.scalar_type()) + " " + shape_text(tensor.sizes()) +
                                " where " + c10::toString(dtype) + " " + shape_text(sizes) + " was expected");
  }
  return tensor;
}

std::uint64_t Boundary::bytes() const {
  std::uint64_t sum = 0;
  for (const NamedTensor& tensor : tensors) sum += tensor.tensor.nbytes();
  return sum;
}

std::vector<std::byte> describe(const Boundary& boundary, std::uint64_t number) {
  common::ensure(boundary.tensors.size() <= kMaxTensors, "a boundary has too many tensors");
  WireWriter writer;
  writer.number(kMagic);
  writer.number(number);
  writer.number(boundary.header.request);
  writer.number(boundary.header.branch);
  writer.number(boundary.header.step);
  writer.number(boundary.header.action);
  writer.number(static_cast<std::uint32_t>(boundary.tensors.size()));
  for (const auto& [name, tensor] : boundary.tensors) {
    common::ensure(tensor.defined() && tensor.is_contiguous(), "a boundary's tensor is not contiguous");
    common::ensure(can_travel(tensor.scalar_type()),
                   "a boundary's tensor is of a dtype that does not travel");
    common::ensure(tensor.dim() <= kMaxDimensions, "a boundary's tensor has too many dimensions");
    writer.text(name);
    writer.number(tensor.scalar_type());
    writer.number(static_cast<std::uint8_t>(tensor.dim()));
    for (const std::int64_t size : tensor.sizes()) writer.number(size);
  }
  std::vector<std::byte> description = writer.take();
  common::ensure(description.size() <= kMaxDescriptionBytes, "a boundary's description is too long");
  return description;
}

Boundary allocate(std::span<const std::byte> description, std::uint64_t number,
                  const at::TensorOptions& where) {
  WireReader reader(description);
  WireReader::require(reader.number<std::uint32_t>() == kMagic, "it is no description of a boundary");
  WireReader::require(reader.number<std::uint64_t>() == number, "it is not the next boundary; one was lost");
  Boundary boundary;
  boundary.header.request = reader.number<std::int64_t>();
  boundary.header.branch = reader.number<std::int32_t>();
  boundary.header.step = reader.number<std::int32_t>();
  boundary.header.action = reader.number<Action>();
  WireReader::require(boundary.header.action == Action::kCompute || boundary.header.action == Action::kSkip,
                      "an unknown action");
  const auto count = reader.number<std::uint32_t>();
  WireReader::require(count <= kMaxTensors, "too many tensors");
  struct Described {
    std::string name;
    at::ScalarType dtype;
    std::vector<std::int64_t> sizes;
  };
  std::vector<Described> described(count);
  for (auto& [name, dtype, sizes] : described) {
    name = reader.text();
    dtype = reader.number<at::ScalarType>();
    WireReader::require(can_travel(dtype), "an unknown dtype");
    sizes = read_sizes(reader, static_cast<std::int64_t>(c10::elementSize(dtype)));
  }
  reader.end();
  // Nothing is allocated before the whole text has been understood.
  for (auto& [name, dtype, sizes] : described) {
    boundary.tensors.push_back({std::move(name), at::empty(sizes, where.dtype(dtype))});
  }
  return boundary;
}

std::vector<std::byte> describe_end(std::uint64_t number) {
  WireWriter writer;
  writer.number(kEndMagic);
  writer.number(number);
  return writer.take();
}

bool is_end(std::span<const std::byte> description, std::uint64_t number) {
  WireReader reader(description);
  if (reader.number<std::uint32_t>() != kEndMagic) return false;
  WireReader::require(reader.number<std::uint64_t>() == number,
                      "it is not the end of the channel; a boundary was lost");
  reader.end();
  return true;
}

}  // namespace layerpipe::comm
