#include "launch/terminal/progress_state.h"

namespace layerpipe::launch {
namespace {

using partition::Network;
using partition::Phase;
using Status = PhaseState::Status;
using ::testing::ElementsAre;

constexpr std::uint64_t kGiB = 1ULL << 30;

PhaseState computing(std::int64_t done, std::int64_t total, double seconds_at_unit, double seconds) {
  return {.status = Status::kComputing,
          .done = done,
          .total = total,
          .seconds = seconds,
          .seconds_at_unit = seconds_at_unit};
}

TEST(WindowText, CountsResultsFromOne) {
  EXPECT_EQ(window_text({.results = {0, 1}, .count = 10}), "result 1 of 10");
  EXPECT_EQ(window_text({.results = {2, 4}, .count = 10, .seconds_each = 90}),
            "results 3-4 of 10, about 12 min 00 s left");
}

TEST(PhaseText, BeginsWithoutTimes) {
  EXPECT_EQ(phase_text(Phase::kEncode, computing(0, 2, 0, 3)), "encode 0 of 2");
  EXPECT_EQ(phase_text(Phase::kDenoise, computing(0, 50, 0, 0)), "denoise step 0 of 50");
}

TEST(PhaseText, TellsWhatIsLeft) {
  EXPECT_EQ(phase_text(Phase::kDenoise, computing(7, 50, 2.94, 2.94)),
            "denoise step 7 of 50, 0.42 s a step, 18 s left");
  EXPECT_EQ(phase_text(Phase::kDenoise, computing(10, 1000, 100, 100)),
            "denoise step 10 of 1000, 10.00 s a step, 2 h 45 min left");
  EXPECT_EQ(phase_text(Phase::kDecode, computing(1, 3, 2, 2)), "decode 1 of 3, 4.0 s left");
}

TEST(PhaseText, GivesNoEstimateFromPromptsForPictures) {
  EXPECT_EQ(phase_text(Phase::kEncode, computing(1, 2, 2, 2)), "encode 1 of 2");
}

TEST(PhaseText, EndsWithWhatItTook) {
  PhaseState done = computing(50, 50, 21, 21);
  done.status = Status::kDone;
  done.phase_seconds = 25.2;
  EXPECT_EQ(phase_text(Phase::kDenoise, done), "denoise done in 25 s, 0.42 s a step");
  EXPECT_EQ(phase_text(Phase::kDecode, done), "decode done in 25 s");
}

TEST(PhaseText, TellsOfLoading) {
  const PhaseState loading{.status = Status::kLoading,
                           .network = Network::kTransformer,
                           .done = static_cast<std::int64_t>(3 * kGiB),
                           .total = static_cast<std::int64_t>(38 * kGiB)};
  EXPECT_EQ(phase_text(Phase::kDenoise, loading), "denoise loading the transformer, 3.00 GiB of 38.00 GiB");
}

TEST(WritingText, CountsAndTellsWhatIsLeft) {
  EXPECT_EQ(writing_text(computing(0, 33, 0, 3)), "write 0 of 33");
  EXPECT_EQ(writing_text(computing(7, 33, 14, 15)), "write 7 of 33, 51 s left");
  PhaseState done = computing(33, 33, 66, 66);
  done.status = Status::kDone;
  done.phase_seconds = 66;
  EXPECT_EQ(writing_text(done), "write done in 1 min 06 s");
}

TEST(PhaseText, TellsOfTheModulationTable) {
  const PhaseState making{.status = Status::kPreparing,
                          .network = Network::kTransformer,
                          .done = static_cast<std::int64_t>(3 * kGiB),
                          .total = static_cast<std::int64_t>(12 * kGiB)};
  EXPECT_EQ(phase_text(Phase::kDenoise, making),
            "denoise making the modulation table, 3.00 GiB of 12.00 GiB");
  EXPECT_TRUE(is_under_way(making));
}

TEST(SecondsLeft, CountsDownWithinAUnitButNotBeyondIt) {
  EXPECT_DOUBLE_EQ(seconds_left(computing(2, 5, 20, 20)), 30);
  EXPECT_DOUBLE_EQ(seconds_left(computing(2, 5, 20, 24)), 26);
  EXPECT_DOUBLE_EQ(seconds_left(computing(2, 5, 20, 90)), 20);  // a slow unit: the others are still to come
  EXPECT_LT(seconds_left(computing(0, 5, 0, 7)), 0);
}

TEST(ProgressBlock, HasALineForEachPhaseAndOneForTheMemory) {
  ProgressState state;
  state.phases.encode = {.status = Status::kDone, .done = 2, .total = 2, .phase_seconds = 4.4};
  state.phases.denoise = computing(25, 50, 10, 10);
  state.memory = {.total = 80 * kGiB, .free = 40 * kGiB, .in_use = 39 * kGiB, .peak = 40 * kGiB};
  EXPECT_THAT(progress_block(state, Charset::kAscii),
              ElementsAre("  encode   done in 4.4 s",
                          "  denoise  ############............  step 25 of 50, 0.40 s a step, 10 s left",
                          "  decode   ", "  memory   39.00 GiB in use, 40.00 GiB at most, of 80.00 GiB"));
  EXPECT_EQ(progress_block(state, Charset::kUnicode)[1],
            "  denoise  ████████████░░░░░░░░░░░░  step 25 of 50, 0.40 s a step, 10 s left");
}

TEST(ProgressBlock, HasALineForWritingOnceItHasBegun) {
  ProgressState state;
  state.phases.decode = computing(1, 4, 2, 2);
  EXPECT_EQ(progress_block(state, Charset::kAscii).size(), 4U);
  state.writing = computing(6, 24, 5, 5);
  const std::vector<std::string> lines = progress_block(state, Charset::kAscii);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[2], "  decode   ######..................  1 of 4, 6.0 s left");
  EXPECT_EQ(lines[3], "  write    ######..................  6 of 24, 15 s left");
}

TEST(Fit, CountsCharactersNotBytes) {
  EXPECT_EQ(fit("abc", 3), "abc");
  EXPECT_EQ(fit("abcd", 3), "abc");
  EXPECT_EQ(fit("█░█x", 3), "█░█");
  EXPECT_EQ(fit("█", 0), "");
}

}  // namespace
}  // namespace layerpipe::launch
