#include "session/rank_setup.h"

#include <gtest/gtest.h>

#include "comm/nccl/nccl_channel.h"
#include "common/errors.h"

namespace layerpipe::session {
namespace {

using comm::ChannelKind;
using runtime::ChannelChoice;

TEST(ChooseChannel, TakesNcclBetweenWholeGpus) {
  const ChannelKind best = comm::nccl_is_built() ? ChannelKind::kNccl : ChannelKind::kHost;
  EXPECT_EQ(choose_channel(ChannelChoice::kAuto, RanksOn::kGpus), best);
  EXPECT_EQ(choose_channel(ChannelChoice::kAuto, RanksOn::kPartsOfGpus), ChannelKind::kHost);
  EXPECT_EQ(choose_channel(ChannelChoice::kAuto, RanksOn::kCpus), ChannelKind::kHost);
}

TEST(ChooseChannel, DoesWhatTheConfigSays) {
  for (const RanksOn ranks : {RanksOn::kGpus, RanksOn::kPartsOfGpus}) {
    EXPECT_EQ(choose_channel(ChannelChoice::kMpi, ranks), ChannelKind::kHost);
    EXPECT_EQ(choose_channel(ChannelChoice::kNccl, ranks), ChannelKind::kNccl);
  }
  EXPECT_THROW(choose_channel(ChannelChoice::kNccl, RanksOn::kCpus), common::InputError);
}

}  // namespace
}  // namespace layerpipe::session
