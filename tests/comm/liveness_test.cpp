// Who is blamed, and when: with a clock of the test's own.
#include "comm/liveness.h"

#include <gtest/gtest.h>

namespace layerpipe::comm {
namespace {

using namespace std::chrono_literals;

constexpr auto kTimeout = 10s;

class LivenessTest : public ::testing::Test {
 protected:
  // Rank 0 of four looks at the others.
  LivenessTest() : liveness(0, 4, kTimeout, start) {}

  Clock::time_point at(Clock::duration time) const { return start + time; }
  void beats(int rank, std::uint64_t counter, Clock::duration time, RankState state = RankState::kComputing,
             int waits_for = -1) {
    liveness.heard(rank, {.counter = counter, .state = state, .waits_for = waits_for, .doing = {}}, at(time));
  }
  void expect_blame(const std::optional<Verdict>& verdict, int rank, Blame blame, Clock::duration lasted) {
    ASSERT_TRUE(verdict.has_value());
    EXPECT_EQ(verdict->rank, rank);
    EXPECT_EQ(verdict->blame, blame);
    EXPECT_EQ(verdict->lasted, lasted);
  }

  // With a heartbeat that has beaten up to then.
  std::optional<Verdict> judge(int awaited, Clock::time_point since, Clock::time_point now) {
    for (; start + beaten <= now; beaten += liveness.interval()) liveness.beat(start + beaten);
    return liveness.judge(awaited, since, now);
  }

  const Clock::time_point start{};
  Liveness liveness;
  Clock::duration beaten{0};
};

TEST(LivenessInterval, IsATenthOfTheTimeoutAndAtMostASecond) {
  EXPECT_EQ(Liveness(0, 2, 5s, {}).interval(), 500ms);
  EXPECT_EQ(Liveness(0, 2, 120s, {}).interval(), 1s);
}

TEST_F(LivenessTest, ARankThatWasNeverHeardOfIsSilentFromTheStart) {
  EXPECT_FALSE(judge(1, at(0s), at(10s)));
  expect_blame(judge(1, at(0s), at(11s)), 1, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, SilenceCountsFromTheLastPulse) {
  beats(1, 1, 7s);
  EXPECT_FALSE(judge(1, at(0s), at(17s)));
  expect_blame(judge(1, at(0s), at(18s)), 1, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, ALongComputationThatMovesIsWaitedForWithoutEnd) {
  for (int second = 1; second < 1000; ++second) {
    beats(1, static_cast<std::uint64_t>(second / 9), std::chrono::seconds(second));
    ASSERT_FALSE(judge(1, at(0s), at(std::chrono::seconds(second))));
  }
}

TEST_F(LivenessTest, ARankThatBeatsAndDoesNotMoveStandsStill) {
  beats(1, 5, 1s);
  for (int second = 2; second <= 11; ++second) beats(1, 5, std::chrono::seconds(second));
  EXPECT_FALSE(judge(1, at(0s), at(11s)));
  beats(1, 5, 12s);
  expect_blame(judge(1, at(0s), at(12s)), 1, Blame::kStandsStill, 11s);
}

TEST_F(LivenessTest, ARankThatWasKilledWhileItComputedIsSilent) {
  beats(1, 5, 1s);
  for (int second = 2; second <= 8; ++second) beats(1, 5, std::chrono::seconds(second));
  EXPECT_FALSE(judge(1, at(0s), at(18s)));
  expect_blame(judge(1, at(0s), at(19s)), 1, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, ARankThatWasKilledInARingOfWaitsIsSilent) {
  for (int second = 1; second <= 20; ++second) {
    beats(1, 1, std::chrono::seconds(second), RankState::kWaiting, 2);
    if (second <= 8) beats(2, 1, std::chrono::seconds(second), RankState::kWaiting, 0);
  }
  EXPECT_FALSE(judge(1, at(0s), at(18s)));
  expect_blame(judge(1, at(0s), at(19s)), 2, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, TheEndOfTheChainIsBlamed) {
  for (int second = 1; second <= 12; ++second) {
    beats(1, 1, std::chrono::seconds(second), RankState::kWaiting, 2);
    beats(2, 1, std::chrono::seconds(second), RankState::kWaiting, 3);
    beats(3, 1, std::chrono::seconds(second));
  }
  expect_blame(judge(1, at(0s), at(12s)), 3, Blame::kStandsStill, 11s);
  // As soon as that one moves, all is well, however long the others have been waiting.
  beats(3, 2, 12s);
  EXPECT_FALSE(judge(1, at(0s), at(12s)));
}

TEST_F(LivenessTest, ASilentRankInTheChainIsBlamed) {
  beats(2, 1, 1s, RankState::kWaiting, 3);
  for (int second = 1; second <= 12; ++second) {
    beats(1, 1, std::chrono::seconds(second), RankState::kWaiting, 2);
    beats(3, 1, std::chrono::seconds(second));
  }
  expect_blame(judge(1, at(0s), at(12s)), 2, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, ARingOfWaitsBlamesTheAwaitedRankOnceNothingMoves) {
  for (int second = 1; second <= 14; ++second) {
    beats(1, 1, std::chrono::seconds(second), RankState::kWaiting, 2);
    beats(2, second < 3 ? 1 : 2, std::chrono::seconds(second), RankState::kWaiting, 0);
  }
  EXPECT_FALSE(judge(1, at(0s), at(13s))) << "rank 2 moved at 3 s";
  expect_blame(judge(1, at(0s), at(14s)), 1, Blame::kNothingMoves, 11s);
  EXPECT_FALSE(judge(1, at(6s), at(14s))) << "this rank's own wait is young";
  liveness.moved(at(9s));
  EXPECT_FALSE(judge(1, at(0s), at(14s))) << "something still arrives here";
}

TEST_F(LivenessTest, ARingAmongOthersIsFoundToo) {
  for (int second = 1; second <= 12; ++second) {
    beats(1, 1, std::chrono::seconds(second), RankState::kWaiting, 2);
    beats(2, 1, std::chrono::seconds(second), RankState::kWaiting, 3);
    beats(3, 1, std::chrono::seconds(second), RankState::kWaiting, 2);
  }
  expect_blame(judge(1, at(0s), at(12s)), 1, Blame::kNothingMoves, 11s);
}

TEST_F(LivenessTest, ARankThatIsDoneMayBeSilentButNotAwaitedForEver) {
  beats(1, 1, 1s, RankState::kDone);
  EXPECT_FALSE(judge(1, at(20s), at(30s))) << "what it sent may be under way";
  expect_blame(judge(1, at(20s), at(31s)), 1, Blame::kLeft, 11s);
}

TEST_F(LivenessTest, WaitingForOneselfEndsToo) {
  EXPECT_FALSE(judge(0, at(0s), at(10s)));
  expect_blame(judge(0, at(0s), at(11s)), 0, Blame::kNothingMoves, 11s);
}

TEST_F(LivenessTest, AnAbsurdChainBlamesTheAwaitedRank) {
  for (int second = 1; second <= 12; ++second) {
    beats(1, 1, std::chrono::seconds(second), RankState::kWaiting, 77);
  }
  expect_blame(judge(1, at(0s), at(12s)), 1, Blame::kNothingMoves, 11s);
}

TEST_F(LivenessTest, AProcessThatWasItselfStoppedDoesNotBlameTheOthers) {
  beats(1, 1, 1s);
  liveness.beat(at(1s));
  // A laptop that slept: a thread that waits may wake before the heartbeat.
  EXPECT_FALSE(liveness.judge(1, at(0s), at(61s)));
  liveness.beat(at(61s));
  beaten = 61s;
  EXPECT_FALSE(judge(1, at(0s), at(62s)));
  expect_blame(judge(1, at(0s), at(72s)), 1, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, AnIdleRankIsWaitedForWithoutEnd) {
  for (int second = 1; second <= 100; ++second) {
    beats(1, 1, std::chrono::seconds(second), RankState::kIdle);
    beats(2, 1, std::chrono::seconds(second), RankState::kWaiting, 1);
    ASSERT_FALSE(judge(1, at(0s), at(std::chrono::seconds(second))));
    ASSERT_FALSE(judge(2, at(0s), at(std::chrono::seconds(second)))) << "it waits for the idle one";
  }
  // With the end of its leisure its time begins.
  beats(1, 2, 101s);
  for (int second = 102; second <= 111; ++second) beats(1, 2, std::chrono::seconds(second));
  EXPECT_FALSE(judge(1, at(0s), at(111s)));
  beats(1, 2, 112s);
  expect_blame(judge(1, at(0s), at(112s)), 1, Blame::kStandsStill, 11s);
}

TEST_F(LivenessTest, AnIdleRankThatIsKilledIsSilent) {
  for (int second = 1; second <= 20; ++second) {
    if (second <= 8) beats(1, 1, std::chrono::seconds(second), RankState::kIdle);
    beats(2, 1, std::chrono::seconds(second), RankState::kWaiting, 1);
  }
  EXPECT_FALSE(judge(1, at(0s), at(18s)));
  expect_blame(judge(1, at(0s), at(19s)), 1, Blame::kSilent, 11s);
  expect_blame(judge(2, at(0s), at(19s)), 1, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, SilenceIsFoundAmongAllThatAreNotDone) {
  for (int second = 1; second <= 20; ++second) {
    if (second <= 2) beats(1, 1, std::chrono::seconds(second), RankState::kDone);
    if (second <= 8) beats(2, 1, std::chrono::seconds(second), RankState::kWaiting, 0);
    beats(3, 1, std::chrono::seconds(second), RankState::kWaiting, 0);
  }
  judge(1, at(0s), at(18s));  // beats
  EXPECT_FALSE(liveness.judge_silence(at(18s)));
  judge(1, at(0s), at(19s));
  expect_blame(liveness.judge_silence(at(19s)), 2, Blame::kSilent, 11s);
}

TEST_F(LivenessTest, AllAreDoneWhenEveryOtherHasSaidSo) {
  beats(1, 1, 1s, RankState::kDone);
  beats(2, 1, 1s, RankState::kDone);
  EXPECT_FALSE(liveness.all_others_done());
  beats(3, 1, 1s, RankState::kDone);
  EXPECT_TRUE(liveness.all_others_done());
}

}  // namespace
}  // namespace layerpipe::comm
