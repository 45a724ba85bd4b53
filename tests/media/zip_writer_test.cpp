#include "media/zip_writer.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "common/errors.h"
#include "common/files.h"
#include "media/zip_reader.h"
#include "tests/media/document_test_data.h"

namespace layerpipe::media {
namespace {

using common::InternalError;
using common::OutputError;

std::string text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string entry_of(const std::filesystem::path& path, const std::string& entry) {
  const std::string bytes = file_bytes(path);
  return text(ZipReader(as_bytes(bytes), path.string()).read(entry, 1 << 20));
}

// No file may become longer than this, as on a full disk, as long as the object lives.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);  // write() then says EFBIG
    const struct rlimit small { bytes, before_.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  struct rlimit before_ {};
  sighandler_t handler_;
};

using ZipWriter = DocumentTest;

TEST_F(ZipWriter, KeepsContentsInTheirOrder) {
  const std::string long_text(100'000, 'x');
  common::write_file_atomically(folder_ / "from", std::string_view("of a file"));
  const std::vector<ZipEntry> entries = {{"stored", ZipMethod::kStored, text_content("abc")},
                                         {"folder/deflated", ZipMethod::kDeflated, text_content(long_text)},
                                         {"empty", ZipMethod::kDeflated, text_content("")},
                                         {"file", ZipMethod::kStored, folder_ / "from"}};
  write_zip(folder_ / "a.zip", entries);
  const std::string bytes = file_bytes(folder_ / "a.zip");
  EXPECT_LT(bytes.size(), 2000u);
  std::size_t place = 0;
  for (const ZipEntry& entry : entries) {
    const std::size_t next = bytes.find(entry.name, place);
    ASSERT_NE(next, std::string::npos) << entry.name;
    place = next;
  }
  EXPECT_EQ(entry_of(folder_ / "a.zip", "stored"), "abc");
  EXPECT_EQ(entry_of(folder_ / "a.zip", "folder/deflated"), long_text);
  EXPECT_EQ(entry_of(folder_ / "a.zip", "empty"), "");
  EXPECT_EQ(entry_of(folder_ / "a.zip", "file"), "of a file");
}

TEST_F(ZipWriter, WritesNoExtraFieldsBeforeTheFirstContent) {
  const std::vector<ZipEntry> entries = {{"mimetype", ZipMethod::kStored, text_content("image/openraster")}};
  write_zip(folder_ / "a.zip", entries);
  EXPECT_EQ(file_bytes(folder_ / "a.zip").substr(30, 24), "mimetypeimage/openraster");
}

TEST_F(ZipWriter, WritesTheSameBytesAgain) {
  const std::vector<ZipEntry> entries = {{"a", ZipMethod::kDeflated, text_content(std::string(1000, 'a'))},
                                         {"h\xc3\xb6hle", ZipMethod::kStored, text_content("b")}};
  write_zip(folder_ / "a.zip", entries);
  ::setenv("TZ", "Pacific/Kiritimati", 1);
  ::tzset();
  write_zip(folder_ / "b.zip", entries);
  ::unsetenv("TZ");
  ::tzset();
  EXPECT_EQ(file_bytes(folder_ / "a.zip"), file_bytes(folder_ / "b.zip"));
}

TEST_F(ZipWriter, AsksForEachContentOnceWhenThoseBeforeItAreWritten) {
  std::string asked;
  std::vector<ZipEntry> entries;
  for (const char letter : std::string("abc")) {
    entries.push_back({std::string(1, letter), ZipMethod::kDeflated, [&asked, letter] {
                         asked += letter;
                         return std::vector<std::byte>(3);
                       }});
  }
  EXPECT_EQ(asked, "");
  write_zip(folder_ / "a.zip", entries);
  EXPECT_EQ(asked, "abc");
}

TEST_F(ZipWriter, PassesOnWhatAContentThrowsAndLeavesNothing) {
  common::write_file_atomically(folder_ / "a.zip", std::string_view("old"));
  const std::vector<ZipEntry> entries = {
      {"a", ZipMethod::kStored, text_content("abc")},
      {"b", ZipMethod::kStored, []() -> std::vector<std::byte> { throw common::InterruptedError(); }}};
  EXPECT_THROW(write_zip(folder_ / "a.zip", entries), common::InterruptedError);
  EXPECT_EQ(file_bytes(folder_ / "a.zip"), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(ZipWriter, ReportsAMissingFileOfItsOwn) {
  const std::vector<ZipEntry> entries = {{"a", ZipMethod::kStored, folder_ / "missing"}};
  try {
    write_zip(folder_ / "a.zip", entries);
    FAIL();
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(),
              "cannot open " + (folder_ / "missing").string() + ": No such file or directory (errno 2)");
  }
  EXPECT_EQ(files(), 0);
}

TEST_F(ZipWriter, ReportsAFullDiskAndLeavesNothing) {
  const std::vector<ZipEntry> entries = {
      {"a", ZipMethod::kStored, [] { return std::vector<std::byte>(1 << 20); }}};
  const SmallDisk disk(100'000);
  try {
    write_zip(folder_ / "a.zip", entries);
    FAIL();
  } catch (const OutputError& error) {
    EXPECT_EQ(error.what(), "cannot write " + (folder_ / "a.zip").string() + ": File too large (errno 27)");
  }
  EXPECT_EQ(files(), 0);
}

TEST_F(ZipWriter, ReportsAFolderThatDoesNotExist) {
  const std::vector<ZipEntry> entries = {{"a", ZipMethod::kStored, text_content("abc")}};
  EXPECT_THROW(write_zip(folder_ / "missing" / "a.zip", entries), OutputError);
  EXPECT_EQ(files(), 0);
}

TEST_F(ZipWriter, TakesTheLongestNameAndGivesWhatTheUmaskGrants) {
  const auto path = folder_ / std::string(NAME_MAX, 'n');
  const std::vector<ZipEntry> entries = {{"a", ZipMethod::kStored, text_content("abc")}};
  const mode_t before = ::umask(027);
  write_zip(path, entries);
  ::umask(before);
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(files(), 1);
}

TEST_F(ZipWriter, RefusesWhatIsNoArchive) {
  const auto write = [&](std::vector<std::string> names) {
    std::vector<ZipEntry> entries;
    for (std::string& name : names) entries.push_back({name, ZipMethod::kStored, text_content("abc")});
    write_zip(folder_ / "a.zip", entries);
  };
  EXPECT_THROW(write({}), InternalError);
  EXPECT_THROW(write({"../a"}), InternalError);
  EXPECT_THROW(write({"/a"}), InternalError);
  EXPECT_THROW(write({"a\\b"}), InternalError);
  EXPECT_THROW(write({"a", "a"}), InternalError);
  EXPECT_EQ(files(), 0);
}

}  // namespace
}  // namespace layerpipe::media
