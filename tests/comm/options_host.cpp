#include "tests/comm/ranks.h"

namespace layerpipe::testing {

comm::ChannelOptions channel_options(int channel, int depth) {
  return {.channel = channel, .depth = depth};
}

std::string why_skipped(int) {
  return {};
}

}  // namespace layerpipe::testing
