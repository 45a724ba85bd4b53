// Who is missing at the start, from the files of a host's ranks; the tests set their times.
#include "comm/mpi/meeting.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace layerpipe::comm::mpi {
namespace {

using namespace std::chrono_literals;
using ::testing::StartsWith;

constexpr auto kTimeout = 3s;

// Rank 1 of four looks; all have come.
class MeetingTest : public ::testing::Test {
 protected:
  MeetingTest() {
    for (int rank = 0; rank < 4; ++rank) write("here", rank, "h", 10s);
    for (const int rank : {0, 2, 3}) write("alive", rank, "", 1s);
    write("alive", 1, "", 0s);
  }
  void write(const std::string& kind, int rank, const std::string& text, std::chrono::seconds age = 0s) {
    const auto file = scratch.path() / (kind + "." + std::to_string(rank));
    std::ofstream(file) << text << '\n';
    std::filesystem::last_write_time(file, now - age);
  }
  std::string missing(std::chrono::seconds waited = 5s) const {
    const auto absence = find_absence(folder, kTimeout, waited);
    return absence ? absence->what : "nobody";
  }

  const std::filesystem::file_time_type now = std::filesystem::file_time_type::clock::now();
  layerpipe::testing::TemporaryFolder scratch;
  const RankFolder folder{scratch.path(), 1, 4};
};

TEST_F(MeetingTest, NobodyIsMissingWhileAllAreHeardOf) {
  EXPECT_EQ(missing(), "nobody");
  EXPECT_EQ(missing(60s), "nobody");
  EXPECT_THAT(missing(64s),
              StartsWith("the ranks have not met within 64.0 s, although all of them are alive"));
}

TEST_F(MeetingTest, ARankThatFallsSilentIsNamed) {
  write("alive", 2, "", 4s);
  EXPECT_EQ(missing(),
            "rank 2 on host h (starting) has been silent for 4.0 s; rank 1 waited for it, at the start");
  write("alive", 0, "", 5s);
  EXPECT_THAT(missing(), StartsWith("rank 0 on host h (starting) has been silent for 5.0 s"));
}

TEST_F(MeetingTest, ARankThatHasMetTheOthersMayBeSilent) {
  write("alive", 2, "", 20s);
  write("inside", 2, "");
  EXPECT_EQ(missing(), "nobody");
}

TEST_F(MeetingTest, ARankWhoseProgramDoesNotStartHasLonger) {
  std::filesystem::remove(scratch.path() / "alive.3");
  write("here", 3, "h", 18s);
  EXPECT_EQ(missing(), "nobody");
  write("here", 3, "h", 19s);
  EXPECT_THAT(missing(), StartsWith("rank 3 on host h (starting) has not come for 19.0 s"));
}

TEST_F(MeetingTest, ARankThatDiedIsNamedAtOnce) {
  write("dead", 0, "was killed by signal 9");
  EXPECT_THAT(missing(0s), StartsWith("rank 0 on host h (starting) was killed by signal 9; rank 1 waited"));
}

TEST_F(MeetingTest, OneRankOfAHostSaysIt) {
  EXPECT_TRUE(folder.claim_message());
  EXPECT_FALSE(folder.claim_message());
  EXPECT_FALSE(RankFolder(scratch.path(), 2, 4).claim_message());
}

TEST_F(MeetingTest, RanksOfOtherHostsAreNamedByTheirNumbers) {
  for (const int rank : {2, 3}) {
    std::filesystem::remove(scratch.path() / ("alive." + std::to_string(rank)));
    std::filesystem::remove(scratch.path() / ("here." + std::to_string(rank)));
  }
  EXPECT_EQ(missing(), "nobody");
  EXPECT_EQ(missing(70s), "the ranks have not met within 70.0 s, and nothing is known here of ranks 2 and 3");
}

}  // namespace
}  // namespace layerpipe::comm::mpi
