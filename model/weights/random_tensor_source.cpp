#include <ATen/core/Tensor.h>

#include <cmath>
#include <string_view>

#include "common/errors.h"
#include "model/weights/tensor_source.h"

namespace layerpipe::model {
namespace {

// SplitMix64's output function: a bijection of 64 bits that passes the usual statistical tests when fed with
// a counter. Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014.
constexpr std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

// FNV-1a, so that the seed of a name is the same on every machine (std::hash promises nothing of the kind).
std::uint64_t hash_name(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

struct Distribution {
  float center;
  float half_width;  // of a uniform distribution
};

bool ends_with(const std::string& name, std::string_view end) {
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

Distribution distribution_of(const std::string& name, at::IntArrayRef shape) {
  const bool norm =
      ends_with(name, ".gamma") || (name.find("norm") != std::string::npos && ends_with(name, ".weight"));
  if (norm && shape.size() != 2) return {1.0F, 0.1F};
  if (shape.size() < 2) return {0.0F, 0.02F};
  std::int64_t fan_in = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
  // A uniform distribution of half width w has variance w²/3.
  return {0.0F, std::sqrt(3.0F / static_cast<float>(fan_in))};
}

// Fills `to` with the values from number `first` on: each is that of its number alone.
template <typename T>
void fill(std::span<std::byte> to, std::int64_t first, std::uint64_t seed, Distribution distribution) {
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;
  auto* const data = reinterpret_cast<T*>(to.data());
  for (std::size_t i = 0; i < to.size() / sizeof(T); ++i) {
    const std::uint64_t number = static_cast<std::uint64_t>(first) + i;
    const std::uint64_t bits = mix(seed + number * kGolden);
    const float unit = static_cast<float>(bits >> 40) * 0x1p-23F - 1.0F;  // -1 … 1
    data[i] = static_cast<T>(distribution.center + distribution.half_width * unit);
  }
}

}  // namespace

void RandomTensorSource::read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                                    std::span<std::byte> to) const {
  const std::uint64_t seed = mix(hash_name(component_ + "/" + name));
  const Distribution distribution = distribution_of(name, shape);
  const std::int64_t first = begin / static_cast<std::int64_t>(c10::elementSize(storage_dtype_));
  switch (storage_dtype_) {
    case at::kBFloat16:
      return fill<at::BFloat16>(to, first, seed, distribution);
    case at::kHalf:
      return fill<at::Half>(to, first, seed, distribution);
    case at::kFloat:
      return fill<float>(to, first, seed, distribution);
    case at::kDouble:
      return fill<double>(to, first, seed, distribution);
    default:
      throw common::InternalError("there are no random weights of this dtype");
  }
}

}  // namespace layerpipe::model
