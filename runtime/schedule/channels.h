// The channels that ranks open between each other in a run, told apart by number. Standard library only.
#pragma once

namespace layerpipe::runtime {

enum class Use : int { kHostExchange = 0, kBoundaries = 1, kLatents = 2 };
inline constexpr int kUses = 3;

// A number is used once between two ranks, so every run has numbers of its own; `run` counts from 0.
inline int channel_number(int run, Use use) {
  return run * kUses + static_cast<int>(use);
}

}  // namespace layerpipe::runtime
