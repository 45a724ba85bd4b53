// Where the files of a run, and of mpirun, go.
#include "launch/keeper/run_folder.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/temporary_folder.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::StartsWith;

constexpr std::uintmax_t kMoreThanThereIs = std::uintmax_t{1} << 62U;

// TMPDIR, put back at the end.
class Tmpdir {
 public:
  explicit Tmpdir(const std::string& value) {
    const char* before = std::getenv("TMPDIR");
    before_ = before == nullptr ? "" : before;
    ::setenv("TMPDIR", value.c_str(), 1);
  }
  ~Tmpdir() {
    if (before_.empty()) {
      ::unsetenv("TMPDIR");
    } else {
      ::setenv("TMPDIR", before_.c_str(), 1);
    }
  }
  Tmpdir(const Tmpdir&) = delete;
  Tmpdir& operator=(const Tmpdir&) = delete;

 private:
  std::string before_;
};

TEST(RunFolder, GoesToTmpdirFirstAndThenToTheUsualPlaces) {
  const Tmpdir wanted("/scratch/7");
  EXPECT_THAT(temporary_folders(), ElementsAre("/scratch/7", "/tmp", "/var/tmp", "/dev/shm"));
  const Tmpdir usual("/tmp");
  EXPECT_THAT(temporary_folders(), ElementsAre("/tmp", "/var/tmp", "/dev/shm"));
  const Tmpdir none("");
  EXPECT_THAT(temporary_folders(), ElementsAre("/tmp", "/var/tmp", "/dev/shm"));
}

TEST(RunFolder, PassesOverWhatWillNotDoAndSaysWhy) {
  const testing::TemporaryFolder scratch;
  std::ofstream(scratch.path() / "file") << "x";
  std::vector<UnusableFolder> passed_over;
  EXPECT_EQ(choose_folder({scratch.path() / "none", scratch.path() / "file", scratch.path()}, 1, passed_over),
            scratch.path());
  ASSERT_EQ(passed_over.size(), 2U);
  EXPECT_EQ(passed_over[0].why, "is not there");
  EXPECT_EQ(passed_over[1].why, "is not a folder");
}

TEST(RunFolder, NeedsRoom) {
  const testing::TemporaryFolder scratch;
  EXPECT_THAT(reason_against(scratch.path(), kMoreThanThereIs), Optional(StartsWith("has ")));
  EXPECT_EQ(reason_against(scratch.path(), 1), std::nullopt);
  std::vector<UnusableFolder> passed_over;
  EXPECT_EQ(choose_folder({scratch.path()}, kMoreThanThereIs, passed_over), std::nullopt);
  EXPECT_EQ(passed_over.size(), 1U);
}

TEST(RunFolder, NeedsToBeWritable) {
  // /proc is for root, too.
  EXPECT_THAT(reason_against("/proc", 0), Optional(StartsWith("cannot be written to")));
}

TEST(RunFolder, IsANewOneForItsOwnerAlone) {
  const testing::TemporaryFolder scratch;
  const fs::path first = make_run_folder(scratch.path());
  const fs::path second = make_run_folder(scratch.path());
  EXPECT_NE(first, second);
  EXPECT_EQ(first.parent_path(), scratch.path());
  EXPECT_EQ(fs::status(first).permissions(), fs::perms::owner_all);
}

TEST(RankFolderOfAHost, LiesInTheRunsFolderWhereThatIs) {
  const testing::TemporaryFolder scratch;
  const fs::path run = make_run_folder(scratch.path());
  EXPECT_EQ(rank_folder(run), run / "ranks");
  EXPECT_TRUE(fs::is_directory(run / "ranks"));
}

TEST(RankFolderOfAHost, LiesBesideItsPlaceOnAnotherHost) {
  const testing::TemporaryFolder scratch;
  EXPECT_EQ(rank_folder(scratch.path() / "layerpipe.abc"), scratch.path() / "layerpipe.abc.ranks");
}

// As with a job's own TMPDIR, which only the first host has.
TEST(RankFolderOfAHost, LiesElsewhereWhereThatPlaceIsMissing) {
  const testing::TemporaryFolder scratch;
  const Tmpdir here(scratch.path());
  EXPECT_EQ(rank_folder("/nonexistent/layerpipe.abc"), scratch.path() / "layerpipe.abc.ranks");
}

}  // namespace
}  // namespace layerpipe::launch
