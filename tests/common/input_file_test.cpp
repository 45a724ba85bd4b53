#include "common/input_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "common/errors.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::common {
namespace {

using layerpipe::testing::refusal;

class InputFileTest : public ::testing::Test {
 protected:
  void write(const std::string& content) const { std::ofstream(path_) << content; }
  // As a program does that saves a file anew: under another name, and then under its own.
  void replace(const std::string& content) const {
    const std::filesystem::path beside = folder_.path() / "beside";
    std::ofstream(beside) << content;
    std::filesystem::rename(beside, path_);
  }
  // Time stamps follow the kernel's clock, which ticks a few times in a hundredth of a second.
  void set_time(time_t seconds) const {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
  }
  static std::string text(const InputFile& file, std::uint64_t offset, std::size_t count,
                          std::string_view part = {}) {
    std::string content(count, '?');
    file.read(offset, std::as_writable_bytes(std::span(content)), part);
    return content;
  }
  static std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "a.bin";
};

TEST_F(InputFileTest, ReadsAnyPlace) {
  write("0123456789");
  const InputFile file(path_);
  EXPECT_EQ(file.size(), 10u);
  EXPECT_EQ(text(file, 3, 4), "3456");
  EXPECT_EQ(text(file, 0, 10), "0123456789");
  EXPECT_EQ(text(file, 10, 0), "");
  EXPECT_FALSE(file.was_written_to());
  EXPECT_FALSE(file.was_replaced());
}

TEST_F(InputFileTest, NamesAFileThatEndsEarly) {
  write("0123456789");
  const InputFile file(path_);
  std::filesystem::resize_file(path_, 5);
  EXPECT_EQ(text(file, 0, 5), "01234");
  EXPECT_EQ(refusal(path_, [&] { text(file, 0, 6); }), "FILE became shorter while it was read");
  EXPECT_EQ(refusal(path_, [&] { text(file, 4, 2, "tensor \"a\""); }),
            "FILE has become shorter: it does not hold all of tensor \"a\"");
  EXPECT_TRUE(file.was_written_to());
}

// A tensor is read in a great many parts, whose names take longer to be made than they to be read.
TEST_F(InputFileTest, AsksForANameOnlyToSayIt) {
  write("0123456789");
  const InputFile file(path_);
  std::filesystem::resize_file(path_, 5);
  int asked = 0;
  const auto read = [&](std::size_t count) {
    std::string content(count, '?');
    file.read(0, std::as_writable_bytes(std::span(content)), [&] {
      ++asked;
      return std::string("tensor \"a\"");
    });
  };
  read(5);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(refusal(path_, [&] { read(6); }),
            "FILE has become shorter: it does not hold all of tensor \"a\"");
  EXPECT_EQ(asked, 1);
}

TEST_F(InputFileTest, NoticesWhatIsWrittenToIt) {
  write("0123456789");
  set_time(1000);
  const InputFile file(path_);
  std::ofstream(path_, std::ios::in) << "x";  // as long as before
  EXPECT_TRUE(file.was_written_to());
  set_time(1000);
  EXPECT_FALSE(file.was_written_to());
  std::ofstream(path_, std::ios::app) << "x";
  set_time(1000);  // only its size tells
  EXPECT_TRUE(file.was_written_to());
}

TEST_F(InputFileTest, ReadsOnWhereItsFileIsReplacedOrRemoved) {
  write("0123456789");
  set_time(1000);
  const InputFile file(path_);
  replace("another");
  EXPECT_TRUE(file.was_replaced());
  EXPECT_FALSE(file.was_written_to());
  EXPECT_EQ(text(file, 0, 10), "0123456789");
  std::filesystem::remove(path_);
  EXPECT_FALSE(file.was_replaced());
  EXPECT_EQ(text(file, 0, 10), "0123456789");
  write("0123456789");
  set_time(1000);
  EXPECT_FALSE(file.was_replaced()) << "by a copy that keeps size and time";
}

TEST_F(InputFileTest, RefusesWhatIsNoFile) {
  EXPECT_EQ(refusal(path_, [&] { InputFile{path_}; }),
            "cannot open FILE: No such file or directory (errno 2)");
  EXPECT_EQ(refusal(folder_.path(), [&] { InputFile{folder_.path()}; }), "FILE is not a regular file");
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(refusal(path_, [&] { InputFile{path_}; }), "FILE is not a regular file");
}

// Memory of this process that is not there: its file can be opened, not read.
TEST_F(InputFileTest, SaysWhyAFileCannotBeRead) {
  const std::filesystem::path memory = "/proc/self/mem";
  const InputFile file(memory);
  EXPECT_EQ(refusal(memory, [&] { text(file, 0, 1); }), "cannot read FILE: Input/output error (errno 5)");
  EXPECT_EQ(refusal(memory, [&] { text(file, 0, 1, "tensor \"a\""); }),
            "cannot read tensor \"a\" of FILE: Input/output error (errno 5)");
}

TEST_F(InputFileTest, ContentIsThatOfTheWholeFile) {
  write("0123456789");
  EXPECT_EQ(text(FileContent(path_).bytes()), "0123456789");
  write("");
  EXPECT_TRUE(FileContent(path_).bytes().empty());
}

TEST_F(InputFileTest, ContentIsOfOneState) {
  write("0123456789");
  set_time(1000);
  const InputFile longer(path_);
  std::ofstream(path_, std::ios::app) << "x";
  EXPECT_EQ(refusal(path_, [&] { FileContent{longer}; }), "FILE changed while it was read");
  const InputFile shorter(path_);
  std::filesystem::resize_file(path_, 3);
  EXPECT_EQ(refusal(path_, [&] { FileContent{shorter}; }), "FILE became shorter while it was read");
}

}  // namespace
}  // namespace layerpipe::common
