// Pictures that would not fit into memory, refused by what their headers say.
#include "media/picture_errors.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
const common::MemoryPool kMachine{.id = {}, .cgroup = {}, .total = 400 * kMiB, .free = 100 * kMiB};
const common::MemoryPool kGroup{.id = "1:2", .cgroup = "/job", .total = 400 * kMiB, .free = 100 * kMiB};

template <typename Call>
void expect_too_large(const Call& call, const std::string& message, const std::string& cure) {
  try {
    call();
    FAIL() << "nothing was refused";
  } catch (const common::DoesNotFitError& error) {
    EXPECT_EQ(error.what(), message);
    EXPECT_EQ(error.remedy(), cure);
  }
}

TEST(PictureMemory, IsAskedBeforePixelsAreRead) {
  expect_too_large(
      [] {
        check_declared_size({{}, "a.png", kMaxPixels, kMachine}, 12000, 9000);
      },
      "reading a.png, which has 12000 × 9000 pixels, takes 1.01 GiB; this machine has 100.00 MiB of "
      "400.00 MiB free",
      "Close other programs, or make the picture smaller first.");
  expect_too_large(
      [] {
        check_declared_size({{}, "a.png", kMaxPixels, kGroup}, 12000, 9000);
      },
      "reading a.png, which has 12000 × 9000 pixels, takes 1.01 GiB; the cgroup /job has 100.00 MiB "
      "of 400.00 MiB free",
      "Raise the cgroup's limit, or make the picture smaller first.");
  EXPECT_NO_THROW(check_declared_size({{}, "a.png", kMaxPixels, kMachine}, 3000, 3000));
  EXPECT_NO_THROW(check_declared_size({{}, "a.png"}, 12000, 9000));
}

TEST(PictureMemory, IsAskedBeforeAFileIsRead) {
  expect_too_large([] { check_file_size("a.png", 200 * kMiB, kGroup); },
                   "reading a.png takes 200.00 MiB; the cgroup /job has 100.00 MiB of 400.00 MiB free",
                   "Raise the cgroup's limit, or make the picture smaller first.");
  EXPECT_NO_THROW(check_file_size("a.png", 100 * kMiB, kGroup));
}

// Each reader asks when it knows the size.
TEST(PictureMemory, IsAskedByEveryReader) {
  const common::MemoryPool none{.id = {}, .cgroup = {}, .total = 400 * kMiB, .free = 10};
  for (const char* name : {"damaged/jpeg.png", "damaged/flipped_bit_in_key.png"}) {
    const std::string content = file_bytes(media_data(name));
    const PictureFile file{std::as_bytes(std::span(content)), name, kMaxPixels, none};
    EXPECT_THROW(read_picture(file), common::DoesNotFitError) << name;
  }
}

}  // namespace
}  // namespace layerpipe::media
