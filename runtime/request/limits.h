// How much a request may ask for. Standard library only.
#pragma once

#include <cstdint>

namespace layerpipe::runtime {

inline constexpr std::int64_t kMostLayers = 32;
inline constexpr std::int64_t kMostSteps = 1000;
inline constexpr std::int64_t kMostImages = 1000;  // results of one picture
inline constexpr std::int64_t kLargestResolution = 2048;
inline constexpr std::int64_t kSmallestResolution = 64;
inline constexpr std::int64_t kResolutionMultiple = 32;

}  // namespace layerpipe::runtime
