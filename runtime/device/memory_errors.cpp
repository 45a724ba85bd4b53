#include "runtime/device/memory_errors.h"

#include <string_view>

#include "common/units.h"

namespace layerpipe::runtime {

using common::format_bytes;

common::DoesNotFitError out_of_memory(partition::Phase phase, std::uint64_t weight_bytes,
                                      const at::Device& device, const std::string& libtorch_text) {
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
