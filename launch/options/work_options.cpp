#include "launch/options/work_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "common/errors.h"
#include "launch/options/option_values.h"
#include "runtime/request/limits.h"

namespace layerpipe::launch {

void add_work_options(const OptionGroup& group) {
  const session::WorkOptions defaults;
  group.add("--layers", "N", fmt::format("Number of layers, 1 to {}", runtime::kMostLayers))
      ->default_str(std::to_string(defaults.layers));
  group.add("--resolution", "N", "Side of a square of the area to work at: 640 or 1024")
      ->default_str(std::to_string(defaults.resolution));
  group.add_flag("--any-resolution",
                 fmt::format("Allow other multiples of {} from {} to {}", runtime::kResolutionMultiple,
                             runtime::kSmallestResolution, runtime::kLargestResolution));
  group.add("--steps", "N", fmt::format("Denoising steps, 1 to {}", runtime::kMostSteps))
      ->default_str(std::to_string(defaults.steps));
}

session::WorkOptions read_work_options(const OptionValues& values) {
  session::WorkOptions work;
  values.read_whole_number("--layers", work.layers, 1, runtime::kMostLayers);
  values.read_whole_number("--resolution", work.resolution, runtime::kSmallestResolution,
                           runtime::kLargestResolution);
  work.any_resolution = values.given("--any-resolution");
  values.read_whole_number("--steps", work.steps, 1, runtime::kMostSteps);
  return work;
}

void check_resolution(const session::WorkOptions& work) {
  const std::int64_t resolution = work.resolution;
  if (!work.any_resolution && resolution != 640 && resolution != 1024) {
    throw common::InputError(
        fmt::format("--resolution {} is not one that the model was trained at", resolution),
        "Take 640 or 1024, or add --any-resolution.");
  }
  if (resolution % runtime::kResolutionMultiple != 0) {
    throw common::InputError(
        fmt::format("--resolution {} is not a multiple of {}", resolution, runtime::kResolutionMultiple),
        fmt::format("Take {}.", resolution / runtime::kResolutionMultiple * runtime::kResolutionMultiple));
  }
}

}  // namespace layerpipe::launch
