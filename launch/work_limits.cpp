#include "launch/work_limits.h"

#include <fmt/format.h>

#include "common/errors.h"

namespace layerpipe::launch {

void check_resolution(std::int64_t resolution, AnyResolution any) {
  if (any == AnyResolution::kNo && resolution != 640 && resolution != 1024) {
    throw common::InputError(
        fmt::format("--resolution {} is not one that the model was trained at", resolution),
        "Take 640 or 1024, or add --any-resolution.");
  }
  if (resolution % kResolutionMultiple != 0) {
    throw common::InputError(
        fmt::format("--resolution {} is not a multiple of {}", resolution, kResolutionMultiple),
        fmt::format("Take {}.", resolution / kResolutionMultiple * kResolutionMultiple));
  }
}

}  // namespace layerpipe::launch
