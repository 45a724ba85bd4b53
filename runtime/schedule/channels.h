// The channels that ranks open between each other, told apart by number. Standard library only.
#pragma once

namespace layerpipe::runtime {

enum class ChannelUse : int { kHostExchange = 0, kBoundaries = 1, kLatents = 2 };

inline constexpr int channel_number(ChannelUse use) {
  return static_cast<int>(use);
}

}  // namespace layerpipe::runtime
