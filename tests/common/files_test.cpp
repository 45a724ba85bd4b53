#include "common/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "common/errors.h"

namespace layerpipe::common {
namespace {

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/layerpipe_files_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(FilesTest, WritesAndReadsBack) {
  const auto path = folder_ / "a.txt";
  write_file_atomically(path, std::string_view("one"));
  write_file_atomically(path, std::string_view("two\0three", 9));
  EXPECT_EQ(read_text_file(path), std::string("two\0three", 9));
}

TEST_F(FilesTest, LeavesNothingBesideTheFile) {
  write_file_atomically(folder_ / "a.txt", std::string_view("x"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FilesTest, FailedWriteRemovesItsPart) {
  // The target is a folder that is not empty: the rename fails after the content was written.
  std::filesystem::create_directories(folder_ / "target" / "full");
  EXPECT_THROW(write_file_atomically(folder_ / "target", std::string_view("x")), OutputError);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FilesTest, GivesWhatTheUmaskGrants) {
  const mode_t before = ::umask(027);
  write_file_atomically(folder_ / "a.txt", std::string_view("x"));
  ::umask(before);
  EXPECT_EQ(std::filesystem::status(folder_ / "a.txt").permissions(), std::filesystem::perms(0640));
}

TEST_F(FilesTest, MapsWholeFile) {
  write_file_atomically(folder_ / "a.bin", std::string_view("abc"));
  MappedFile file(folder_ / "a.bin");
  ASSERT_EQ(file.bytes().size(), 3u);
  EXPECT_EQ(static_cast<char>(file.bytes()[2]), 'c');
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.bytes().size(), 3u);
}

TEST_F(FilesTest, MapsEmptyFile) {
  write_file_atomically(folder_ / "empty", std::string_view(""));
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
}

TEST_F(FilesTest, RefusesFoldersAndMissingFilesByName) {
  EXPECT_THROW(MappedFile{folder_}, InputError);
  try {
    read_text_file(folder_ / "missing.json");
    FAIL() << "a missing file was read";
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(),
              "cannot open " + (folder_ / "missing.json").string() + ": No such file or directory (errno 2)");
  }
}

TEST_F(FilesTest, RefusesLargerThanTheLimit) {
  write_file_atomically(folder_ / "a.txt", std::string_view("12345"));
  EXPECT_EQ(read_text_file(folder_ / "a.txt", 5), "12345");
  EXPECT_THROW(read_text_file(folder_ / "a.txt", 4), InputError);
}

}  // namespace
}  // namespace layerpipe::common
