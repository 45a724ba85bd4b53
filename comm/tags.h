// The streams of messages between two ranks. A transport takes any tag below kTagLimit.
#pragma once

#include "comm/transport.h"

namespace layerpipe::comm {

inline constexpr Tag kPulseTag = 0;
inline constexpr Tag kControlLengthTag = 1;
inline constexpr Tag kControlTag = 2;
inline constexpr Tag kFirstChannelTag = 8;
inline constexpr Tag kTagLimit = 1 << 13;

inline constexpr int kTagsOfChannel = 5;
inline constexpr int kMaxChannels = (kTagLimit - kFirstChannelTag) / kTagsOfChannel;
constexpr Tag description_tag(int channel) {
  return kFirstChannelTag + kTagsOfChannel * channel;
}
constexpr Tag payload_tag(int channel) {
  return description_tag(channel) + 1;
}
// Of a receiver over NCCL.
constexpr Tag request_tag(int channel) {
  return description_tag(channel) + 4;
}
// To connect over NCCL, from the lower of two ranks to the higher one; a channel's number may be used in both
// directions.
constexpr Tag invitation_tag(int channel, bool inviter_sends) {
  return description_tag(channel) + (inviter_sends ? 2 : 3);
}

}  // namespace layerpipe::comm
