#include "media/png_writer.h"

#include <unistd.h>

#include <atomic>
#include <random>

#include "common/errors.h"
#include "common/files.h"
#include "media/png_reader.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

class PngWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/layerpipe_png_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
  Image noise_ = read_png(media_data("resize/noise.png"));
};

TEST_F(PngWriterTest, IsReadBackBitForBit) {
  write_png(folder_ / "a.png", noise_);
  EXPECT_TRUE(images_equal(read_png(folder_ / "a.png"), noise_));
}

TEST_F(PngWriterTest, KeepsTheColorOfClearPixels) {
  const Image clear{1, 1, {10, 20, 30, 0}};
  write_png(folder_ / "a.png", clear);
  EXPECT_TRUE(images_equal(read_png(folder_ / "a.png"), clear));
}

TEST_F(PngWriterTest, WritesTheSameBytesAgain) {
  const PngTexts texts = {{"Software", "layerpipe"}, {"prompt", "höhle"}};
  write_png(folder_ / "a.png", noise_, texts);
  write_png(folder_ / "b.png", noise_, texts);
  const std::string bytes = file_bytes(folder_ / "a.png");
  EXPECT_EQ(bytes, file_bytes(folder_ / "b.png"));
  EXPECT_EQ(bytes.find("tIME"), std::string::npos);
}

TEST_F(PngWriterTest, WritesTextsAsTheirCharactersAllow) {
  write_png(folder_ / "a.png", noise_, {{"Software", "layerpipe"}, {"prompt", "höhle"}, {"empty", ""}});
  const std::string bytes = file_bytes(folder_ / "a.png");
  EXPECT_NE(bytes.find(std::string("tEXtSoftware\0layerpipe", 22)), std::string::npos);
  EXPECT_NE(bytes.find(std::string("iTXtprompt\0\0\0\0\0h\xc3\xb6hle", 21)), std::string::npos);
  EXPECT_NE(bytes.find(std::string("tEXtempty\0", 10)), std::string::npos);
  EXPECT_TRUE(images_equal(read_png(folder_ / "a.png"), noise_));
}

// Smooth in its left half, noise in its right one, larger than a run in every shape.
Image large_picture(int width, int height) {
  Image image = make_image(width, height);
  std::mt19937 random(1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.row(y) + 4 * static_cast<std::size_t>(x);
      const bool is_smooth = 2 * x < width;
      for (int c = 0; c < 4; ++c)
        pixel[c] = static_cast<std::uint8_t>(is_smooth ? (x + c * y) / 16 : static_cast<int>(random()));
    }
  }
  return image;
}

TEST_F(PngWriterTest, WritesTheSameBytesWithAnyNumberOfThreads) {
  for (const auto& [width, height] :
       {std::pair(1200, 900), std::pair(kMaxSide, 20), std::pair(20, kMaxSide)}) {
    const Image image = large_picture(width, height);
    std::atomic<int> parts{0};
    const std::vector<std::byte> alone = encode_png(image);
    for (const int threads : {2, 3, 16}) {
      parts = 0;
      const EncodingWork work{.threads = threads, .moved = [&] { ++parts; }};
      EXPECT_TRUE(encode_png(image, {}, work) == alone) << width << " " << threads;
      EXPECT_GT(parts.load(), 1) << width;
    }
    common::write_file_atomically(folder_ / "a.png", alone);
    EXPECT_TRUE(images_equal(read_png(folder_ / "a.png"), image)) << width;
  }
}

TEST_F(PngWriterTest, EndsWithWhatItsListenerThrows) {
  const Image image = large_picture(1200, 900);
  for (const int threads : {1, 3}) {
    const EncodingWork work{.threads = threads, .moved = [] { throw common::InterruptedError(); }};
    EXPECT_THROW(write_png(folder_ / "a.png", image, {}, work), common::InterruptedError);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PngWriterTest, ReportsAFolderThatDoesNotExist) {
  EXPECT_THROW(write_png(folder_ / "missing" / "a.png", noise_), common::OutputError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PngWriterTest, RefusesWhatIsNoPicture) {
  EXPECT_THROW(write_png(folder_ / "a.png", Image{}), common::InternalError);
  EXPECT_THROW(write_png(folder_ / "a.png", Image{2, 2, std::vector<std::uint8_t>(15)}),
               common::InternalError);
}

TEST_F(PngWriterTest, RefusesAKeywordThatPngForbids) {
  for (const std::string keyword : {"", " a", "a ", "a  b", "h\xc3\xb6he"}) {
    EXPECT_THROW(write_png(folder_ / "a.png", noise_, {{keyword, "text"}}), common::InternalError) << keyword;
  }
  EXPECT_THROW(write_png(folder_ / "a.png", noise_, {{std::string(80, 'a'), "text"}}), common::InternalError);
  EXPECT_THROW(write_png(folder_ / "a.png", noise_, {{"a", std::string("b\0c", 3)}}), common::InternalError);
}

}  // namespace
}  // namespace layerpipe::media
