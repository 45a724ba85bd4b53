#include "runtime/memory_errors.h"

#include <algorithm>
#include <string_view>

#include "common/units.h"

namespace layerpipe::runtime {

using common::format_bytes;

common::DoesNotFitError does_not_fit(Network network, std::uint64_t weight_bytes, const at::Device& device,
                                     const MemoryUse& memory) {
  const std::string needs =
      "the " + std::string(to_string(network)) + "'s weights take " + format_bytes(weight_bytes) + "; ";
  const std::string has = " has " + format_bytes(memory.free) + " of " + format_bytes(memory.total) + " free";
  if (device.is_cpu()) {
    return common::DoesNotFitError(needs + "this machine" + has,
                                   "Close other programs, take --dtype bf16, or a machine with more memory.");
  }
  const std::uint64_t taken = memory.total - std::min(memory.total, memory.free);
  const std::uint64_t others = taken - std::min(taken, memory.in_use);
  return common::DoesNotFitError(
      needs + device.str() + has + ", " + format_bytes(others) + " are held by others",
      "Close the other programs that nvidia-smi shows, or take a GPU with more memory.");
}

common::DoesNotFitError out_of_memory(Phase phase, std::uint64_t weight_bytes, const at::Device& device,
                                      const std::string& libtorch_text) {
  // "CUDA out of memory. Tried to allocate 18.00 MiB. GPU 0 has …"
  constexpr std::string_view kBefore = "Tried to allocate ";
  std::string what = device.str() + " has not enough memory to " + to_string(phase);
  if (const auto begin = libtorch_text.find(kBefore); begin != std::string::npos) {
    const auto size = begin + kBefore.size();
    what += ": " + libtorch_text.substr(size, libtorch_text.find(". ", size) - size) + " more were asked for";
  }
  what += "; the weights alone take " + format_bytes(weight_bytes);
  return common::DoesNotFitError(
      what,
      "Close the other programs that nvidia-smi shows, or take a smaller --resolution or fewer --layers.");
}

}  // namespace layerpipe::runtime
