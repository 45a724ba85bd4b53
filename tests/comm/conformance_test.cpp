// What every back end's channels promise. Each test runs on all ranks of a set; those that need two are quick
// where there is one.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "common/errors.h"
#include "tests/comm/boundaries.h"
#include "tests/comm/ranks.h"

namespace layerpipe::comm {
namespace {

using namespace std::chrono_literals;
using layerpipe::testing::channel_options;
using layerpipe::testing::counted;
using layerpipe::testing::expect_same;
using layerpipe::testing::numbered;
using layerpipe::testing::on_all_ranks;

class Channels : public ::testing::TestWithParam<int> {
 protected:
  static Boundary mine(std::int64_t number) {
    return layerpipe::testing::on(numbered(number), channel_options().device);
  }
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

INSTANTIATE_TEST_SUITE_P(Ranks, Channels, ::testing::ValuesIn(layerpipe::testing::sizes_of_sets()),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace layerpipe::comm
