// How much is to be made: the options that commands share, and their limits.
#pragma once

#include <cstdint>

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

inline constexpr std::int64_t kMostLayers = 32;
inline constexpr std::int64_t kMostSteps = 1000;
inline constexpr std::int64_t kMostImages = 1000;
inline constexpr std::int64_t kLargestResolution = 2048;
inline constexpr std::int64_t kSmallestResolution = 64;
inline constexpr std::int64_t kResolutionMultiple = 32;

// Defaults are those of the command-line contract.
struct WorkOptions {
  std::int64_t layers = 4;
  std::int64_t resolution = 640;
  bool any_resolution = false;
  std::int64_t steps = 50;
};

// Adds --layers, --resolution, --any-resolution and --steps.
void add_work_options(const OptionGroup& group);

// Reads them. Throws InputError naming the option.
WorkOptions read_work_options(const OptionValues& values);

// Throws InputError unless the model was trained at `--resolution`, or any is allowed and it is a multiple.
void check_resolution(const WorkOptions& work);

}  // namespace layerpipe::launch
