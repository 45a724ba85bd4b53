// What every back end's channels promise. Each test runs on all ranks of a set; those that need two are quick
// where there is one.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "common/errors.h"
#include "tests/comm/boundaries.h"
#include "tests/comm/ranks.h"
#include "tests/support/holdings.h"

namespace layerpipe::comm {
namespace {

using namespace std::chrono_literals;
using layerpipe::testing::channel_options;
using layerpipe::testing::counted;
using layerpipe::testing::expect_same;
using layerpipe::testing::numbered;
using layerpipe::testing::on_all_ranks;

Boundary numbered_here(std::int64_t number) {
  return layerpipe::testing::on(numbered(number), channel_options().device);
}

class Channels : public ::testing::TestWithParam<int> {
 protected:
  static Boundary mine(std::int64_t number) { return numbered_here(number); }
};

int next(const Communicator& ranks) {
  return (ranks.rank() + 1) % ranks.size();
}
int previous(const Communicator& ranks) {
  return (ranks.rank() + ranks.size() - 1) % ranks.size();
}

TEST_P(Channels, KeepTheOrder) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options());
    const auto in = ranks.open_receive(previous(ranks), channel_options());
    for (std::int64_t i = 0; i < 50; ++i) {
      out->send(mine(1000 * ranks.rank() + i));
      expect_same(in->receive(), numbered(1000 * previous(ranks) + i));
    }
    out->flush();
    EXPECT_EQ(out->metrics().messages, 50);
    EXPECT_EQ(in->metrics().messages, 50);
    EXPECT_GT(in->metrics().bytes, 0U);
  });
}

TEST_P(Channels, ReachEveryRankFromEveryRankAlsoItself) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    std::vector<std::unique_ptr<SendChannel>> out;
    std::vector<std::unique_ptr<ReceiveChannel>> in;
    for (int peer = 0; peer < ranks.size(); ++peer) {
      out.push_back(ranks.open_send(peer, channel_options()));
      in.push_back(ranks.open_receive(peer, channel_options()));
    }
    for (int peer = 0; peer < ranks.size(); ++peer) {
      out[static_cast<std::size_t>(peer)]->send(mine(10 * ranks.rank() + peer));
    }
    for (int peer = 0; peer < ranks.size(); ++peer) {
      expect_same(in[static_cast<std::size_t>(peer)]->receive(), numbered(10 * peer + ranks.rank()));
    }
    for (const auto& channel : out) channel->flush();
  });
}

TEST_P(Channels, LargeBoundariesPassEachOtherInBothDirections) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options());
    const auto in = ranks.open_receive(previous(ranks), channel_options());
    for (int round = 0; round < 3; ++round) {
      Boundary large;
      large.tensors.push_back(
          {"large", at::full({3 << 20}, 10 * ranks.rank() + round,
                             at::TensorOptions(at::kFloat).device(channel_options().device))});
      out->send(std::move(large));  // everybody sends before anybody receives
      const at::Tensor came = in->receive().at("large", at::kFloat, {3 << 20});
      EXPECT_TRUE((came == 10 * previous(ranks) + round).all().item<bool>());
    }
    out->flush();
  });
}

TEST_P(Channels, HoldManyInFlight) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    constexpr int kDepth = 16;
    const auto out = ranks.open_send(next(ranks), channel_options(0, kDepth));
    const auto other_out = ranks.open_send(next(ranks), channel_options(1, kDepth));
    const auto in = ranks.open_receive(previous(ranks), channel_options(0, kDepth));
    const auto other_in = ranks.open_receive(previous(ranks), channel_options(1, kDepth));
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < kDepth; ++i) out->send(mine(i));
      for (int i = 0; i < kDepth; ++i) other_out->send(mine(100 + i));
      for (int i = 0; i < kDepth; ++i) expect_same(other_in->receive(), numbered(100 + i));
      for (int i = 0; i < kDepth; ++i) expect_same(in->receive(), numbered(i));
    }
    out->flush();
    other_out->flush();
  });
}

TEST_P(Channels, CarryNoBytesAtAll) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options());
    const auto in = ranks.open_receive(previous(ranks), channel_options());
    const Boundary skipped{.header = {.request = 7, .branch = 1, .step = 2, .action = Action::kSkip},
                           .tensors = {}};
    Boundary empty = mine(1);
    empty.tensors[0].tensor = at::empty({0, 12}, empty.tensors[0].tensor.options());
    for (const Boundary& boundary : {skipped, empty, skipped, mine(5)}) {
      out->send(boundary);
      expect_same(in->receive(), boundary);
    }
    out->flush();
  });
}

TEST_P(Channels, CarryThreeHundredMegabytes) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    if (ranks.rank() > 1) return;
    const int last = ranks.size() > 1 ? 1 : 0;
    constexpr std::int64_t kElements = 300'000'001 / 4;
    const auto options = at::TensorOptions(at::kInt).device(channel_options().device);
    if (ranks.rank() == 0) {
      const auto out = ranks.open_send(last, channel_options());
      Boundary large;
      large.tensors.push_back({"large", at::arange(kElements, options)});
      large.tensors.push_back({"small", at::full({3}, 5, options)});
      out->send(std::move(large));
      if (last != 0) return out->flush();
      const auto in = ranks.open_receive(0, channel_options());
      EXPECT_TRUE(at::equal(in->receive().at("large"), at::arange(kElements, options)));
    } else {
      const auto in = ranks.open_receive(0, channel_options());
      const Boundary large = in->receive();
      EXPECT_TRUE(at::equal(large.at("large"), at::arange(kElements, options)));
      EXPECT_TRUE(at::equal(large.at("small"), at::full({3}, 5, options)));
    }
  });
}

TEST_P(Channels, RefuseWhatCannotTravelAndGoOn) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options());
    const auto in = ranks.open_receive(previous(ranks), channel_options());
    Boundary wrong = mine(1);
    wrong.tensors[0].tensor = wrong.tensors[0].tensor.t();
    EXPECT_THROW(out->send(wrong), common::InternalError);
    wrong.tensors[0].tensor = at::zeros({2}, at::kComplexFloat);
    EXPECT_THROW(out->send(wrong), common::InternalError);
    EXPECT_THROW(ranks.open_send(next(ranks), channel_options()), common::InternalError) << "number in use";
    EXPECT_THROW(ranks.open_send(ranks.size(), channel_options()), common::InternalError);
    EXPECT_THROW(ranks.open_receive(0, channel_options(3, 0)), common::InternalError) << "depth 0";
    out->send(mine(2));
    const Boundary came = in->receive();
    out->flush();
    expect_same(came, numbered(2));
    EXPECT_THROW(came.at("absent"), common::InternalError);
    EXPECT_THROW(came.at("hidden_states", at::kHalf, {7, 7}), common::InternalError);
    EXPECT_THROW(came.at("hidden_states", at::kBFloat16, {7, 8}), common::InternalError);
  });
}

TEST_P(Channels, MoveDataWhileTheReceiverComputes) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options(0, 2));
    const auto in = ranks.open_receive(previous(ranks), channel_options(0, 2));
    out->send(mine(1));
    out->send(mine(2));
    out->flush();  // comes back although nobody has called receive()
    ranks.barrier("having flushed");
    expect_same(in->receive(), numbered(1));
    expect_same(in->receive(), numbered(2));
  });
}

TEST_P(Channels, StopTheSenderAtTheDepth) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options(0, 2));
    const auto in = ranks.open_receive(previous(ranks), channel_options(0, 1));
    std::atomic<int> sent = 0;
    {
      std::jthread sender([&] {
        for (int i = 0; i < 8; ++i) {
          out->send(mine(i));
          ++sent;
        }
      });
      while (sent < 3) std::this_thread::sleep_for(1ms);
      std::this_thread::sleep_for(200ms);
      EXPECT_EQ(sent, 3) << "two at the sender's end, one at the receiver's";
      ranks.barrier("having looked");
      for (int i = 0; i < 8; ++i) expect_same(in->receive(), numbered(i));
    }
    out->flush();
  });
}

TEST_P(Channels, OpenBeforeAnythingTravels) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options());
    const auto in = ranks.open_receive(previous(ranks), channel_options());
    in->wait_until_open();
    out->wait_until_open();
    out->send(mine(3));
    expect_same(in->receive(), numbered(3));
    out->flush();
  });
}

TEST_P(Channels, MayCloseAsSoonAsTheLastBoundaryIsThere) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    for (int number = 0; number < 3; ++number) {
      const auto out = ranks.open_send(next(ranks), channel_options(number, 2));
      auto in = ranks.open_receive(previous(ranks), channel_options(number, 2));
      out->send(mine(number));
      out->send(mine(number + 1));
      expect_same(in->receive(), numbered(number));
      expect_same(in->receive(), numbered(number + 1));
      in.reset();
      out->flush();
    }
  });
}

TEST_P(Channels, MayGoWithoutAFlush) {
  const auto begin = std::chrono::steady_clock::now();
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options(0, 4));
    Boundary large;
    large.tensors.push_back(
        {"large", at::zeros({5 << 20}, at::TensorOptions(at::kFloat).device(channel_options().device))});
    for (int i = 0; i < 3; ++i) out->send(large);  // that nobody receives
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

// One life of a channel; the order in which its ends close is another one each time. No message may come to
// the channel before or after.
void live_once(Communicator& ranks, int round) {
  auto out = ranks.open_send(next(ranks), channel_options());
  auto in = ranks.open_receive(previous(ranks), channel_options());
  const auto number = [&](int rank) { return 10 * round + rank; };
  switch (round % 4) {
    case 0:
      out->send(numbered_here(number(ranks.rank())));
      expect_same(in->receive(), numbered(number(previous(ranks))));
      out->flush();
      break;
    case 1:  // the sender first
      out->send(numbered_here(number(ranks.rank())));
      out->flush();
      out.reset();
      expect_same(in->receive(), numbered(number(previous(ranks))));
      break;
    case 2:  // the receiver first, and what is sent to it is dropped
      in.reset();
      out->send(numbered_here(number(ranks.rank())));
      out->send(numbered_here(number(ranks.rank())));
      out->flush();
      break;
    default:  // one is read, one arrives and is not read, and nothing travels back
      out->send(numbered_here(number(ranks.rank())));
      out->send(numbered_here(number(ranks.rank())));
      expect_same(in->receive(), numbered(number(previous(ranks))));
      in.reset();
      out->flush();
  }
}

// What the process holds. Ranks that share one look one after another: looking opens a file. NCCL's edges are
// given back by threads of their own, which may take a second for each (NcclEdge::finish).
layerpipe::testing::Holdings look_in_turn(Communicator& ranks) {
  layerpipe::testing::Holdings mine;
  ranks.barrier("having closed");
  if (!channel_options().device.is_cpu()) std::this_thread::sleep_for(std::chrono::seconds(3));
  for (int rank = 0; rank < ranks.size(); ++rank) {
    ranks.barrier("looking");
    if (rank == ranks.rank()) mine = layerpipe::testing::holdings();
  }
  ranks.barrier("having looked");
  return mine;
}

TEST_P(Channels, OpenAndCloseAgainAndAgainWithOneNumber) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const int rounds = layerpipe::testing::reopenings();
    layerpipe::testing::Holdings before;
    for (int round = 0; round < rounds; ++round) {
      if (round == rounds / 4) before = look_in_turn(ranks);
      live_once(ranks, round);
      if (::testing::Test::HasFailure()) FAIL() << "in round " << round;
    }
    const layerpipe::testing::Holdings after = look_in_turn(ranks);
    if (channel_options().device.is_cpu()) {
      EXPECT_EQ(after.threads, before.threads);
    }
    EXPECT_LE(after.files, before.files);
    // Descriptions' buffers that were left behind each time, 4 KiB for each rank, would take three times as
    // much. NCCL 2.28 and the driver keep some of what a communicator took: on two H200s 23 MiB a round at
    // first, 5 to 8 later.
    const int kept_kib = channel_options().device.is_cpu() ? ranks.size() : 32 * 1024;
    EXPECT_LE(after.resident_kib - before.resident_kib, rounds * kept_kib);
  });
}

TEST_P(Channels, LiveBesideOthersThatComeAndGo) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto out = ranks.open_send(next(ranks), channel_options(1));
    const auto in = ranks.open_receive(previous(ranks), channel_options(1));
    for (int round = 0; round < 8; ++round) {
      live_once(ranks, round);
      out->send(numbered_here(round));
      expect_same(in->receive(), numbered(round));
    }
    out->flush();
  });
}

TEST_P(Channels, GiveTheirNumberBackWhenTheyClose) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    for (int round = 0; round < 3; ++round) {
      const auto out = ranks.open_send(next(ranks), channel_options());
      const auto in = ranks.open_receive(previous(ranks), channel_options());
      EXPECT_THROW(ranks.open_send(next(ranks), channel_options()), common::InternalError);
      EXPECT_THROW(ranks.open_receive(previous(ranks), channel_options()), common::InternalError);
    }
  });
}

// The sender lives on and says so; only its end of the channel is closed.
TEST_P(Channels, ThatTheSenderHasClosedEndAWaitForMore) {
  if (GetParam() == 1) return;
  on_all_ranks(
      GetParam(),
      [](Communicator& ranks) {
        const int last = ranks.size() - 1;
        const ChannelOptions options = channel_options();  // with it a GPU begins, for seconds
        ranks.barrier("beginning");
        std::string said = "none";
        try {
          if (ranks.rank() == 0) ranks.open_send(last, options).reset();
          if (ranks.rank() == last) ranks.open_receive(0, options)->receive();
          for (int i = 0; i < 100; ++i) {
            std::this_thread::sleep_for(100ms);
            ranks.report_progress();
            ranks.check();
          }
        } catch (const common::PeerFailedError& error) {
          said = error.what();
        }
        EXPECT_THAT(said, ::testing::HasSubstr("closed a channel from which rank " + std::to_string(last) +
                                               " still waits for a boundary"));
      },
      1000ms);
}

// A ring of boundaries among the members, with numbers that tell the rings apart.
void go_round(Communicator& members, std::int64_t first, int channel) {
  const auto out = members.open_send(next(members), channel_options(channel));
  const auto in = members.open_receive(previous(members), channel_options(channel));
  for (std::int64_t i = 0; i < 5; ++i) {
    out->send(numbered_here(first + 10 * members.rank() + i));
    expect_same(in->receive(), numbered(first + 10 * previous(members) + i));
  }
  out->flush();
}

TEST_P(Channels, OfDisjointSubsetsMoveSideBySide) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    std::vector<int> members;  // the last one first
    for (int rank = ranks.size() - 1; rank >= 0; --rank)
      if (rank % 2 == ranks.rank() % 2) members.push_back(rank);
    const auto group = ranks.subset(members);
    ASSERT_NE(group, nullptr);
    EXPECT_EQ(members[static_cast<std::size_t>(group->rank())], ranks.rank());
    go_round(*group, 1000 * (ranks.rank() % 2), 0);
    go_round(ranks, 5000, 0);
  });
}

TEST_P(Channels, OfSubsetsWithRanksInCommonDoNotMeet) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    std::vector<int> all;
    for (int rank = 0; rank < ranks.size(); ++rank) all.push_back(rank);
    std::vector<int> but_the_first(all.begin() + (ranks.size() > 1 ? 1 : 0), all.end());
    const std::vector<int> backwards(all.rbegin(), all.rend());
    const auto some = ranks.subset(but_the_first);
    const auto reversed = ranks.subset(backwards);
    EXPECT_EQ(some == nullptr, ranks.size() > 1 && ranks.rank() == 0);
    EXPECT_EQ(reversed->rank(), ranks.size() - 1 - ranks.rank());
    // The same two ranks, the same number, three channels that are all open before anything is received. NCCL
    // connects no rank with itself.
    std::vector<Communicator*> sets = {&ranks, reversed.get()};
    if (some && (some->size() > 1 || channel_options().device.is_cpu())) sets.push_back(some.get());
    std::vector<std::unique_ptr<SendChannel>> out(sets.size());
    std::vector<std::unique_ptr<ReceiveChannel>> in(sets.size());
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const int last = sets[i]->size() - 1;
      if (sets[i]->rank() == 0) out[i] = sets[i]->open_send(last, channel_options());
      if (sets[i]->rank() == last) in[i] = sets[i]->open_receive(0, channel_options());
    }
    for (std::size_t i = sets.size(); i-- > 0;) {
      if (out[i]) out[i]->send(numbered_here(100 + static_cast<std::int64_t>(i)));
    }
    for (std::size_t i = 0; i < sets.size(); ++i) {
      if (in[i]) expect_same(in[i]->receive(), numbered(100 + static_cast<std::int64_t>(i)));
      if (out[i]) out[i]->flush();
    }
    ranks.barrier("ending");
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, Channels, ::testing::ValuesIn(layerpipe::testing::sizes_of_sets()),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace layerpipe::comm
