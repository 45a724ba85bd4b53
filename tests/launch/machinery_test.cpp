#include "launch/machinery.h"

#include <gtest/gtest.h>

#include "comm/nccl/nccl_channel.h"
#include "common/errors.h"

namespace layerpipe::launch {
namespace {

using comm::ChannelKind;
using runtime::ChannelChoice;

TEST(ChooseChannel, TakesNcclBetweenWholeGpus) {
  const ChannelKind best = comm::nccl_is_built() ? ChannelKind::kNccl : ChannelKind::kHost;
  EXPECT_EQ(choose_channel(ChannelChoice::kAuto, /*on_gpus=*/true, /*in_parts=*/false), best);
  EXPECT_EQ(choose_channel(ChannelChoice::kAuto, /*on_gpus=*/true, /*in_parts=*/true), ChannelKind::kHost);
  EXPECT_EQ(choose_channel(ChannelChoice::kAuto, /*on_gpus=*/false, /*in_parts=*/false), ChannelKind::kHost);
}

TEST(ChooseChannel, DoesWhatTheConfigSays) {
  for (const bool in_parts : {false, true}) {
    EXPECT_EQ(choose_channel(ChannelChoice::kMpi, true, in_parts), ChannelKind::kHost);
    EXPECT_EQ(choose_channel(ChannelChoice::kNccl, true, in_parts), ChannelKind::kNccl);
  }
  EXPECT_THROW(choose_channel(ChannelChoice::kNccl, false, false), common::InputError);
}

}  // namespace
}  // namespace layerpipe::launch
