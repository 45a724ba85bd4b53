// The streams of messages between two ranks. A transport takes any tag below kTagLimit.
#pragma once

#include "comm/transport.h"

namespace layerpipe::comm {

// Each communicator on a transport (that of the whole set, 0, and those of its subsets) has a space of its
// own: its control messages and the numbers of its channels.
inline constexpr int kMaxSpaces = 16;

inline constexpr Tag kPulseTag = 0;
constexpr Tag control_length_tag(int space) {
  return 1 + 2 * space;
}
constexpr Tag control_tag(int space) {
  return 2 + 2 * space;
}
inline constexpr Tag kFirstChannelTag = 1 + 2 * kMaxSpaces;
inline constexpr Tag kTagLimit = 1 << 17;

inline constexpr int kTagsOfChannel = 5;
// The number of channels in one space. Below, a channel is the number that it has among those of all spaces.
inline constexpr int kMaxChannels = (kTagLimit - kFirstChannelTag) / kTagsOfChannel / kMaxSpaces;
constexpr int channel_of_space(int space, int channel) {
  return space * kMaxChannels + channel;
}
constexpr Tag description_tag(int channel) {
  return kFirstChannelTag + kTagsOfChannel * channel;
}
constexpr Tag payload_tag(int channel) {
  return description_tag(channel) + 1;
}
// A receiver over NCCL asks for its boundaries with it.
constexpr Tag request_tag(int channel) {
  return description_tag(channel) + 4;
}
// An invitation to connect over NCCL goes from the lower of two ranks to the higher one; a channel's number
// may be used in both directions.
constexpr Tag invitation_tag(int channel, bool inviter_sends) {
  return description_tag(channel) + (inviter_sends ? 2 : 3);
}

}  // namespace layerpipe::comm
