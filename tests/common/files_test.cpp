#include "common/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "common/errors.h"
#include "common/part_folder.h"

namespace {
int umask_calls = 0;
}

// It takes the place of the C library's in all of this program.
extern "C" mode_t umask(mode_t mask) noexcept {
  ++umask_calls;
  return static_cast<mode_t>(::syscall(SYS_umask, mask));
}

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

// The umask belongs to the whole process: a writer that changed it for a moment would lend it to other
// threads.
TEST_F(FilesTest, LeavesTheUmaskAlone) {
  const int before = umask_calls;
  write_file_atomically(folder_ / "a.txt", std::string_view("x"));
  EXPECT_EQ(umask_calls, before);
  ::umask(::umask(0));
  EXPECT_EQ(umask_calls, before + 2);
}

TEST_F(FilesTest, ThreadsMayWriteTheSameFile) {
  const std::string one(100'000, '1');
  const std::string two(100'000, '2');
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) write_file_atomically(folder_ / "a.txt", one);
  });
  for (int i = 0; i < 20; ++i) write_file_atomically(folder_ / "a.txt", two);
  writer.join();
  const std::string content = read_text_file(folder_ / "a.txt");
  EXPECT_TRUE(content == one || content == two);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FilesTest, WritesTheLongestNames) {
  const auto path = folder_ / std::string(NAME_MAX, 'n');
  write_file_atomically(path, std::string_view("one"));
  write_file_atomically(path, std::string_view("two"));
  EXPECT_EQ(read_text_file(path), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FilesTest, AFileBesideGetsItsNameWhenItIsCommitted) {
  const mode_t before = ::umask(027);
  {
    FileBeside file(folder_ / "a.txt");
    std::ofstream(file.temporary()) << "content";
    EXPECT_FALSE(std::filesystem::exists(folder_ / "a.txt"));
    file.commit();
  }
  ::umask(before);
  EXPECT_EQ(read_text_file(folder_ / "a.txt"), "content");
  EXPECT_EQ(std::filesystem::status(folder_ / "a.txt").permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FilesTest, AFileBesideIsRemovedUnlessItIsCommitted) {
  { const FileBeside file(folder_ / "a.txt"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  std::filesystem::create_directories(folder_ / "target" / "full");
  EXPECT_THROW(FileBeside(folder_ / "target").commit(), OutputError);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  EXPECT_THROW(FileBeside(folder_ / "missing" / "a.txt"), OutputError);
}

TEST_F(FilesTest, WritesIntoTheWorkingFolder) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  write_file_atomically("a.txt", std::string_view("x"));
  std::filesystem::current_path(before);
  EXPECT_EQ(read_text_file(folder_ / "a.txt"), "x");
}

TEST_F(FilesTest, RefusesToWriteWithTheReason) {
  const auto path = folder_ / "missing" / "a.txt";
  try {
    write_file_atomically(path, std::string_view("x"));
    FAIL() << "a file was written into a folder that is not there";
  } catch (const OutputError& error) {
    EXPECT_EQ(error.what(), "cannot write " + path.string() + ": No such file or directory (errno 2)");
    EXPECT_EQ(error.remedy(), "Check that the folder exists and may be written.");
  }
}

// Opening it would wait for a writer.
TEST_F(FilesTest, RefusesAPipeAtOnce) {
  const auto path = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  try {
    read_text_file(path);
    FAIL() << "a pipe was read";
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), path.string() + " is not a regular file");
  }
}

TEST_F(FilesTest, RefusesFoldersAndMissingFilesByName) {
  EXPECT_THROW(read_text_file(folder_), InputError);
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

TEST_F(FilesTest, RemovesTheNamelessPartsOfKilledWriters) {
  { std::ofstream(folder_ / ".layerpipe-0123456789abcdef") << "half of a pict"; }
  write_file_atomically(folder_ / "layer_0.png", std::string_view("whole"));
  for (const char* name : {".hidden", ".layerpipe-notes", ".layerpipe-0123456789abcdeg", ".layerpipe.lock"})
    write_file_atomically(folder_ / name, std::string_view("another's"));
  const std::filesystem::path part = make_part_folder(folder_);
  write_file_atomically(part / "layer_0.png", std::string_view("of a result"));
  EXPECT_EQ(parts_in(folder_).size(), 2U);
  remove_parts(folder_);
  EXPECT_FALSE(std::filesystem::exists(folder_ / ".layerpipe-0123456789abcdef"));
  EXPECT_FALSE(std::filesystem::exists(part));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 5);
  EXPECT_NO_THROW(remove_parts(folder_ / "none"));
}

TEST_F(FilesTest, CopiesPieceByPieceAndTellsHowFarItIs) {
  std::string content((std::size_t{65} << 20) + 7, '\0');
  for (std::size_t i = 0; i < content.size(); i += 4093) content[i] = static_cast<char>(i % 251);
  write_file_atomically(folder_ / "a", content);
  std::vector<std::uint64_t> done;
  copy_file(folder_ / "a", folder_ / "b", [&](std::uint64_t bytes) { done.push_back(bytes); });
  EXPECT_EQ(done, (std::vector<std::uint64_t>{std::uint64_t{64} << 20, content.size()}));
  EXPECT_TRUE(read_text_file(folder_ / "b") == content);
}

TEST_F(FilesTest, LeavesNothingWhenItIsEndedOrCannotRead) {
  write_file_atomically(folder_ / "a", "content");
  const auto stop = [](std::uint64_t) { throw InterruptedError(); };
  std::filesystem::resize_file(folder_ / "a", std::uintmax_t{65} << 20);
  EXPECT_THROW(copy_file(folder_ / "a", folder_ / "b", stop), InterruptedError);
  EXPECT_THROW(copy_file(folder_ / "absent", folder_ / "b", stop), InputError);
  EXPECT_THROW(copy_file(folder_ / "a", folder_ / "absent" / "b", stop), OutputError);
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    left.push_back(entry.path().filename());
  EXPECT_EQ(left, std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace layerpipe::common
