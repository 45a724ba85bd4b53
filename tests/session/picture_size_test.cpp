// Long and narrow pictures: those that the reference takes are taken, the others refused with a cure that
// works.
#include "session/picture_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "common/errors.h"
#include "media/image.h"
#include "model/latents.h"
#include "runtime/request/limits.h"
#include "session/job.h"

namespace layerpipe::session {
namespace {

bool is_taken(const common::Size& picture, std::int64_t resolution) {
  try {
    size_to_work_on(picture, resolution, "p.png");
    return true;
  } catch (const common::InputError&) {
    return false;
  }
}

// The longer side has to have the number that the message says, and one more is refused as well.
void expect_that_the_cure_works(const common::InputError& error, const common::Size& picture,
                                std::int64_t resolution) {
  const std::string remedy = error.remedy();
  std::smatch crop;
  ASSERT_TRUE(std::regex_search(remedy, crop, std::regex("^Crop it to (\\d+) × (\\d+) pixels"))) << remedy;
  const common::Size cropped{.width = std::stoll(crop[1]), .height = std::stoll(crop[2])};
  EXPECT_TRUE(cropped.width <= picture.width && cropped.height <= picture.height) << remedy;
  EXPECT_TRUE(is_taken(cropped, resolution)) << remedy;
  const common::Size longer{.width = cropped.width + (picture.width > picture.height ? 1 : 0),
                            .height = cropped.height + (picture.width > picture.height ? 0 : 1)};
  EXPECT_FALSE(is_taken(longer, resolution)) << remedy;
  std::smatch other;
  if (!std::regex_search(remedy, other, std::regex("--resolution (\\d+)( --any-resolution)?"))) {
    for (std::int64_t any = runtime::kSmallestResolution; any <= runtime::kLargestResolution; any += 32)
      EXPECT_FALSE(is_taken(picture, any)) << remedy;
    return;
  }
  const std::int64_t instead = std::stoll(other[1]);
  EXPECT_TRUE(is_taken(picture, instead)) << remedy;
  Job job;
  job.images = {"p.png"};
  job.prompt = "a strip";
  job.resolution = instead;
  job.any_resolution = other[2].matched;
  EXPECT_NO_THROW(check_job(job)) << remedy;
}

// Ratios of 1:1 to 400:1 and some beyond, both ways, at every resolution, of small pictures and of large
// ones.
TEST(PictureSize, EveryRatioAtEveryResolutionWorksOrIsRefusedWithACureThatWorks) {
  std::vector<double> ratios;
  for (double ratio = 1; ratio <= 400; ratio += ratio < 30 ? 0.5 : 7.25) ratios.push_back(ratio);
  for (const double beyond : {400.0, 900.0, 1100.0, 1599.0, 4000.0, 4096.0, 16000.0, 65500.0})
    ratios.push_back(beyond);
  int taken = 0;
  int refused = 0;
  for (const double ratio : ratios) {
    for (const std::int64_t side : {1, 17, 240}) {
      const auto length = static_cast<std::int64_t>(ratio * static_cast<double>(side));
      if (length > media::kMaxSide) continue;
      for (const common::Size picture : {common::Size{length, side}, common::Size{side, length}}) {
        for (std::int64_t resolution = runtime::kSmallestResolution;
             resolution <= runtime::kLargestResolution; resolution += runtime::kResolutionMultiple) {
          const common::Size wanted = model::working_size(picture, resolution);
          try {
            const common::Size size = size_to_work_on(picture, resolution, "p.png");
            EXPECT_EQ(size, wanted);
            EXPECT_TRUE(std::min(size.width, size.height) >= 32);
            EXPECT_TRUE(std::max(size.width, size.height) <= media::kMaxSide);
            ++taken;
          } catch (const common::InputError& error) {
            // Only what has no row of the model's own left, or would become longer than pictures may be.
            EXPECT_TRUE(std::min(wanted.width, wanted.height) == 0 ||
                        std::max(wanted.width, wanted.height) > media::kMaxSide)
                << picture.width << " " << picture.height << " at " << resolution;
            ++refused;
            // The cures are looked at one time for each kind.
            if (resolution % 320 == 0 || resolution == 1024 || resolution == 2048)
              expect_that_the_cure_works(error, picture, resolution);
          }
        }
      }
    }
  }
  EXPECT_GT(taken, 10000);
  EXPECT_GT(refused, 1000);
}

// What users have sent, at the reference's own resolutions, where it takes everything that keeps 32 pixels.
TEST(PictureSize, TakesWhatTheReferenceTakes) {
  EXPECT_EQ(size_to_work_on({16000, 50}, 1024, "p.png"), (common::Size{18304, 64}));
  EXPECT_EQ(size_to_work_on({50, 16000}, 1024, "p.png"), (common::Size{64, 18304}));
  EXPECT_EQ(size_to_work_on({9000, 24}, 1024, "p.png"), (common::Size{19840, 64}));
  EXPECT_EQ(size_to_work_on({16000, 24}, 640, "p.png"), (common::Size{16512, 32}));
  EXPECT_EQ(size_to_work_on({16384, 240}, 2048, "p.png"), (common::Size{16928, 256}));
  EXPECT_EQ(size_to_work_on({1280, 28160}, 1024, "p.png"), (common::Size{224, 4800}));
}

TEST(PictureSize, SaysTheLimitAndTheCure) {
  const auto refusal = [](const common::Size& picture, std::int64_t resolution) {
    try {
      size_to_work_on(picture, resolution, "p.png");
    } catch (const common::InputError& error) {
      return std::string(error.what()) + " | " + error.remedy();
    }
    return std::string("taken");
  };
  EXPECT_EQ(
      refusal({16000, 1}, 1024),
      "p.png is 16000 × 1 pixels: too long and narrow to be taken apart at 1024 pixels, where one of its "
      "height may be up to 4090 pixels wide | Crop it to 4090 × 1 pixels.");
  EXPECT_EQ(
      refusal({2, 60}, 64),
      "p.png is 2 × 60 pixels: too long and narrow to be taken apart at 64 pixels, where one of its width "
      "may be up to 31 pixels high | Crop it to 2 × 31 pixels, or take --resolution 640.");
}

}  // namespace
}  // namespace layerpipe::session
