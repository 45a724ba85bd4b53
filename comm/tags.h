// The streams of messages between two ranks. A transport takes any tag below kTagLimit.
#pragma once

#include "comm/transport.h"

namespace layerpipe::comm {

inline constexpr Tag kPulseTag = 0;
inline constexpr Tag kControlLengthTag = 1;
inline constexpr Tag kControlTag = 2;
inline constexpr Tag kFirstChannelTag = 8;
inline constexpr Tag kTagLimit = 1 << 12;

inline constexpr int kMaxChannels = (kTagLimit - kFirstChannelTag) / 2;
constexpr Tag description_tag(int channel) {
  return kFirstChannelTag + 2 * channel;
}
constexpr Tag payload_tag(int channel) {
  return description_tag(channel) + 1;
}

}  // namespace layerpipe::comm
