// What every back end's communicators promise: messages to all, deadlines, and how a failure is told.
#include <gmock/gmock.h>

#include <thread>

#include "common/errors.h"
#include "tests/comm/boundaries.h"
#include "tests/comm/ranks.h"

namespace layerpipe::comm {
namespace {

using namespace std::chrono_literals;
using layerpipe::testing::channel_options;
using layerpipe::testing::on_all_ranks;
using ::testing::HasSubstr;

class Control : public ::testing::TestWithParam<int> {};

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// What the PeerFailedError that `call` throws says, with the time that it took.
struct Failed {
  std::string what;
  std::string remedy;
  std::chrono::steady_clock::duration after{};
};
template <typename Call>
Failed failure_of(Call&& call) {
  const auto begin = std::chrono::steady_clock::now();
  try {
    call();
  } catch (const common::PeerFailedError& error) {
    return {error.what(), error.remedy(), std::chrono::steady_clock::now() - begin};
  }
  return {"none", {}, {}};
}

// Computes, without saying anything, until another rank complains; bounded.
void stall(Communicator& ranks) {
  const auto end = std::chrono::steady_clock::now() + 15s;
  while (!ranks.failure() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(10ms);
}

TEST_P(Control, GathersFromAll) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    EXPECT_FALSE(ranks.host(ranks.size() - 1).empty());
    for (int round = 0; round < 5; ++round) {
      const std::string mine(static_cast<std::size_t>(3 * ranks.rank()), static_cast<char>('a' + round));
      const auto all = ranks.all_gather(bytes_of(mine), "gathering");
      ASSERT_EQ(all.size(), static_cast<std::size_t>(ranks.size()));
      for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i], bytes_of(std::string(3 * i, static_cast<char>('a' + round))));
      }
    }
  });
}

TEST_P(Control, GathersMoreThanAMessageHolds) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const std::vector<std::byte> mine((33 << 20) + 1, static_cast<std::byte>(ranks.rank()));
    const auto all = ranks.all_gather(mine, "gathering");
    for (int i = 0; i < ranks.size(); ++i) {
      const auto& one = all[static_cast<std::size_t>(i)];
      ASSERT_EQ(one.size(), mine.size());
      EXPECT_EQ(one.back(), static_cast<std::byte>(i));
    }
  });
}

TEST_P(Control, BroadcastsFromEveryRank) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    for (int root = 0; root < ranks.size(); ++root) {
      const auto mine = bytes_of("from " + std::to_string(ranks.rank()));
      EXPECT_EQ(ranks.broadcast(mine, root, "telling"), bytes_of("from " + std::to_string(root)));
      EXPECT_TRUE(ranks.broadcast({}, root, "telling nothing").empty());
    }
  });
}

TEST_P(Control, ABarrierHoldsAllUntilTheLastHasCome) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const auto begin = std::chrono::steady_clock::now();
    if (ranks.rank() == ranks.size() - 1) std::this_thread::sleep_for(200ms);
    ranks.barrier("meeting");
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 150ms);
  });
}

TEST_P(Control, AWaitLastsWhileThePeerMoves) {
  on_all_ranks(
      GetParam(),
      [](Communicator& ranks) {
        if (ranks.rank() == 0) {
          for (int i = 0; i < 30; ++i) {
            std::this_thread::sleep_for(100ms);
            ranks.report_progress();
          }
        }
        ranks.barrier("waiting for one that computes");
      },
      1000ms);
}

// Rank 0 waits for 1, which waits for 2, …; the last one stands still, and everybody is told of that one.
TEST_P(Control, AStalledRankIsNamedByAllThatWaitForOneAnother) {
  if (GetParam() == 1) return;
  static constexpr auto kTimeout = 1000ms;
  on_all_ranks(
      GetParam(),
      [](Communicator& ranks) {
        ranks.barrier("beginning");
        const int last = ranks.size() - 1;
        Failed failed;
        if (ranks.rank() == last) {
          ranks.now_doing("stage 1: denoise, step 3, request 0");
          stall(ranks);
          failed = failure_of([&] { ranks.check(); });
        } else {
          const auto in = ranks.open_receive(ranks.rank() + 1, channel_options());
          failed = failure_of([&] { in->receive(); });
          EXPECT_GE(failed.after, kTimeout - 300ms);
          EXPECT_LE(failed.after, 3 * kTimeout);
        }
        EXPECT_THAT(failed.what,
                    HasSubstr("rank " + std::to_string(last) + " on host " + ranks.host(last) +
                              " (stage 1: denoise, step 3, request 0) stands still: nothing moved"));
        EXPECT_THAT(failed.remedy, HasSubstr("--timeout"));
      },
      kTimeout);
}

TEST_P(Control, ALostMessageIsNoticed) {
  if (GetParam() == 1) return;
  on_all_ranks(
      GetParam(),
      [](Communicator& ranks) {
        const ChannelOptions options = channel_options();  // with it a GPU begins, for seconds
        ranks.barrier("beginning");
        // All wait for all: nobody sends.
        const auto in = ranks.open_receive((ranks.rank() + 1) % ranks.size(), options);
        const Failed failed = failure_of([&] { in->receive(); });
        EXPECT_THAT(failed.what, HasSubstr("does not answer: nothing moved for"));
        EXPECT_LE(failed.after, 3000ms);
      },
      1000ms);
}

TEST_P(Control, ARankThatFailsTellsWhy) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    ranks.barrier("beginning");
    const int last = ranks.size() - 1;
    const auto out = ranks.open_send(last, channel_options());
    const auto in = ranks.open_receive(last, channel_options());
    const std::string expected = "rank " + std::to_string(last) + " on host " + ranks.host(last) +
                                 " (stage 2: decode) failed: the device has not enough memory";
    if (ranks.rank() == last) {
      ranks.now_doing("stage 2: decode");
      std::this_thread::sleep_for(50ms);
      ranks.abort({.reason = "the device has not enough memory", .remedy = "Try less."});
      ranks.abort({.reason = "a second reason", .remedy = {}});
    } else {
      const Failed failed = failure_of([&] { in->receive(); });
      EXPECT_EQ(failed.what, expected);
      EXPECT_EQ(failed.remedy, "Try less.");
      EXPECT_LE(failed.after, 5s);
    }
    // All later calls say the same, on all ranks.
    ASSERT_TRUE(ranks.failure().has_value());
    EXPECT_EQ(speaker(*ranks.failure()), last);
    EXPECT_EQ(failure_of([&] { ranks.check(); }).what, expected);
    EXPECT_EQ(failure_of([&] { ranks.barrier("going on"); }).what, expected);
    EXPECT_EQ(failure_of([&] { ranks.broadcast({}, 0, "going on"); }).what, expected);
    EXPECT_EQ(failure_of([&] { in->receive(); }).what, expected);
    EXPECT_EQ(failure_of([&] { out->send({}); }).what, expected);
    EXPECT_EQ(failure_of([&] { out->flush(); }).what, expected);
    EXPECT_EQ(failure_of([&] { ranks.open_send(0, channel_options(1)); }).what, expected);
  });
}

// The first rank has nothing to do for longer than the timeout; the others wait for its word.
TEST_P(Control, AnIdleRankAndThoseThatWaitForItAreNotStalled) {
  on_all_ranks(
      GetParam(),
      [](Communicator& ranks) {
        for (int window = 0; window < 2; ++window) {
          if (ranks.rank() == 0) {
            const IdleScope idle(ranks);
            for (int i = 0; i < 18; ++i) {
              std::this_thread::sleep_for(100ms);
              ranks.check();
            }
          }
          EXPECT_EQ(ranks.broadcast(bytes_of("work"), 0, "waiting for work"), bytes_of("work"));
        }
      },
      600ms);
}

// Whoever stops being idle has to move again like everybody.
TEST_P(Control, ARankThatStallsAfterHavingBeenIdleIsNoticed) {
  if (GetParam() == 1) return;
  on_all_ranks(
      GetParam(),
      [](Communicator& ranks) {
        ranks.barrier("beginning");
        Failed failed;
        if (ranks.rank() == 0) {
          { const IdleScope idle(ranks); }
          stall(ranks);
          failed = failure_of([&] { ranks.check(); });
        } else {
          failed = failure_of([&] { ranks.broadcast({}, 0, "waiting for work"); });
        }
        EXPECT_THAT(failed.what, HasSubstr("stands still: nothing moved there"));
        EXPECT_LE(failed.after, 5s);
      },
      1000ms);
}

TEST_P(Control, SubsetsGatherAndBroadcastAmongThemselves) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const int size = ranks.size();
    std::vector<int> halves;
    for (int rank = 0; rank < size; ++rank)
      if ((rank < size / 2) == (ranks.rank() < size / 2)) halves.push_back(rank);
    const std::vector<int> ends = size > 1 ? std::vector<int>{size - 1, 0} : std::vector<int>{0};
    const auto half = ranks.subset(halves);
    const auto outer = ranks.subset(ends);
    ASSERT_NE(half, nullptr);
    EXPECT_EQ(outer != nullptr, ranks.rank() == 0 || ranks.rank() == size - 1);
    for (int round = 0; round < 3; ++round) {
      // Those in both take part in the one before the other, or the other way round.
      const auto gather = [&](Communicator& members, const std::vector<int>& numbers) {
        const auto all = members.all_gather(bytes_of(std::to_string(ranks.rank())), "gathering in a subset");
        ASSERT_EQ(all.size(), numbers.size());
        for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], bytes_of(std::to_string(numbers[i])));
        const int root = members.size() - 1;
        EXPECT_EQ(members.broadcast(bytes_of(std::to_string(ranks.rank())), root, "telling a subset"),
                  bytes_of(std::to_string(numbers.back())));
        EXPECT_EQ(members.host(root), ranks.host(numbers.back()));
      };
      gather(*half, halves);
      if (outer) gather(*outer, ends);
      ranks.barrier("between rounds");
    }
  });
}

TEST_P(Control, SubsetsOfNonsenseAreRefused) {
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const std::vector<int> mine = {ranks.rank()};
    const auto alone = ranks.subset(mine);
    EXPECT_EQ(alone->size(), 1);
    EXPECT_THROW(alone->subset(std::vector<int>{0}), common::InternalError);
    EXPECT_THROW(ranks.subset(std::vector<int>{0, 0}), common::InternalError);
    EXPECT_THROW(ranks.subset(std::vector<int>{ranks.size()}), common::InternalError);
    EXPECT_THROW(ranks.subset(std::vector<int>{-1}), common::InternalError);
  });
}

// The last rank fails; the others are in a subset without it, and wait for each other there.
TEST_P(Control, AFailureInOneSubsetIsToldToTheOthers) {
  if (GetParam() == 1) return;
  on_all_ranks(GetParam(), [](Communicator& ranks) {
    const int last = ranks.size() - 1;
    std::vector<int> mine = {last};
    if (ranks.rank() != last) {
      mine.clear();
      for (int rank = last - 1; rank >= 0; --rank) mine.push_back(rank);
    }
    const auto group = ranks.subset(mine);
    ranks.barrier("beginning");
    const std::string expected =
        "rank " + std::to_string(last) + " on host " + ranks.host(last) + " (stage 2) failed: it is broken";
    if (ranks.rank() == last) {
      group->now_doing("stage 2");
      std::this_thread::sleep_for(50ms);
      group->abort({.reason = "it is broken"});
    } else {
      const auto in = group->open_receive((group->rank() + 1) % group->size(), channel_options());
      const Failed failed = failure_of([&] { in->receive(); });
      EXPECT_EQ(failed.what, expected);
      EXPECT_LE(failed.after, 5s);
    }
    EXPECT_EQ(failure_of([&] { group->barrier("going on"); }).what, expected);
    EXPECT_EQ(failure_of([&] { ranks.barrier("going on"); }).what, expected);
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, Control, ::testing::ValuesIn(layerpipe::testing::sizes_of_sets()),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace layerpipe::comm
