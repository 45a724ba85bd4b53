// The phases of a request. Standard library only.
#pragma once

namespace layerpipe::partition {

// Each has weights of its own in memory.
enum class Phase { kEncode, kDenoise, kDecode };
inline constexpr Phase kPhases[] = {Phase::kEncode, Phase::kDenoise, Phase::kDecode};
const char* to_string(Phase phase);

// One value for each phase.
template <typename T>
struct PerPhase {
  T encode{};
  T denoise{};
  T decode{};

  T& operator[](Phase phase) {
    return phase == Phase::kEncode ? encode : phase == Phase::kDenoise ? denoise : decode;
  }
  const T& operator[](Phase phase) const { return const_cast<PerPhase&>(*this)[phase]; }
};

}  // namespace layerpipe::partition
