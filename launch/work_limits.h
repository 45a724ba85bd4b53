// How much may be asked for: limits that commands share.
#pragma once

#include <cstdint>

namespace layerpipe::launch {

inline constexpr std::int64_t kMostLayers = 32;
inline constexpr std::int64_t kMostSteps = 1000;
inline constexpr std::int64_t kMostImages = 1000;
inline constexpr std::int64_t kLargestResolution = 2048;
inline constexpr std::int64_t kSmallestResolution = 64;
inline constexpr std::int64_t kResolutionMultiple = 32;

enum class AnyResolution { kNo, kYes };

// Throws InputError unless the model was trained at `--resolution`, or any is allowed and it is a multiple.
void check_resolution(std::int64_t resolution, AnyResolution any);

}  // namespace layerpipe::launch
