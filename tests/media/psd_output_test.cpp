#include "media/psd_output.h"

#include <array>

#include "tests/media/psd_test_folder.h"

namespace layerpipe::media {
namespace {

using PsdOutputTest = PsdFolderTest;

TEST_F(PsdOutputTest, PutsTheMostSignificantByteFirst) {
  PsdOutput out(file_);
  out.put_u8(1);
  out.put_u16(0x0203);
  out.put_u32(0x04050607);
  out.put_text("ab");
  out.put_zeros(2);
  out.put_unicode(u"\u1234");
  EXPECT_EQ(out.size(), 17u);
  out.finish();
  EXPECT_EQ(file_bytes(file_), std::string("\1\2\3\4\5\6\7ab\0\0\0\0\0\1\x12\x34", 17));
}

TEST_F(PsdOutputTest, FillsInLengthsAndTables) {
  PsdOutput out(file_);
  const std::uint64_t outer = out.begin_section();
  const std::uint64_t inner = out.begin_section();
  out.put_text("abc");
  out.end_section(inner, 4);
  out.end_section(outer);
  out.put_text("1234");
  out.replace_u16s(out.size() - 4, std::array<std::uint16_t, 2>{0x4142, 0x4344});
  out.put_text("end");
  out.finish();
  EXPECT_EQ(file_bytes(file_), std::string("\0\0\0\x8\0\0\0\4abc\0ABCDend", 19));
}

TEST_F(PsdOutputTest, LeavesNothingWithoutFinish) {
  { PsdOutput(file_).put_text("abc"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PsdOutputTest, NoticesAFullDiskAtTheEnd) {
  PsdOutput out(file_);
  out.put_zeros(100);  // less than stdio keeps to itself
  const SmallDisk disk(50);
  EXPECT_THROW(out.finish(), common::OutputError);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(PsdOutputTest, HoldsAtMostWhatItIsTold) {
  PsdOutput out(file_, 8);
  out.put_zeros(8);
  try {
    out.put_u8(0);
    FAIL();
  } catch (const common::OutputError& error) {
    EXPECT_EQ(error.what(),
              "cannot write " + file_.string() + ": the file would be too large, PSD holds at most 2 GiB");
    EXPECT_EQ(error.remedy(),
              "Write the layers as OpenRaster (.ora), which has no such limit, or make the picture smaller.");
  }
}

TEST_F(PsdOutputTest, ReplacesOnlyWhatWasPut) {
  PsdOutput out(file_);
  out.put_u32(0);
  EXPECT_THROW(out.replace_u32(1, 0), common::InternalError);
}

TEST_F(PsdOutputTest, ReportsAFolderThatDoesNotExist) {
  const std::filesystem::path file = folder_ / "missing" / "a.psd";
  try {
    PsdOutput out(file);
    FAIL();
  } catch (const common::OutputError& error) {
    EXPECT_EQ(error.what(), "cannot write " + file.string() + ": No such file or directory (errno 2)");
    EXPECT_EQ(error.remedy(), "Check that the folder exists and may be written.");
  }
}

}  // namespace
}  // namespace layerpipe::media
