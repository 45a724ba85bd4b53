#include "results/kept_layers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/errors.h"

namespace layerpipe::results {
namespace {

constexpr std::uint64_t kBytes = 4 * 3 * 2;  // of a layer

class KeptLayers : public ::testing::Test {
 protected:
  // Two layers that count how often they are made.
  std::vector<std::function<media::Image()>> layers() {
    const auto layer = [this](std::uint8_t colour) {
      return [this, colour] {
        ++made_;
        media::Image image = media::make_image(3, 2);
        image.pixels[0] = colour;
        return image;
      };
    };
    return {layer(1), layer(2)};
  }
  std::atomic<int> made_{0};
};

TEST_F(KeptLayers, AreMadeOnceHoweverManyThreadsAsk) {
  auto kept = layers();
  WritingLimits limits{.threads = 1, .bytes = 8 * kBytes};
  keep_layers(kept, kBytes, limits);
  EXPECT_EQ(limits.bytes, 6 * kBytes) << "what is kept is not there for others";
  EXPECT_EQ(made_.load(), 0);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        EXPECT_EQ(kept[0](), layers()[0]());
        EXPECT_EQ(kept[1]().pixels[0], 2);
      });
    }
  }
  EXPECT_EQ(made_.load(), 8 + 2);  // those that they were compared with
}

TEST_F(KeptLayers, AreMadeEachTimeWhereTheMemoryIsShort) {
  auto kept = layers();
  WritingLimits limits{.threads = 1, .bytes = 8 * kBytes - 1};
  keep_layers(kept, kBytes, limits);
  EXPECT_EQ(limits.bytes, 8 * kBytes - 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(kept[1]().pixels[0], 2);
  EXPECT_EQ(made_.load(), 3);
}

TEST_F(KeptLayers, AreMadeAgainAfterAFailure) {
  int asked = 0;
  std::vector<std::function<media::Image()>> kept{[&] {
    if (++asked == 1) throw common::InterruptedError();
    return media::make_image(3, 2);
  }};
  WritingLimits limits{.threads = 1, .bytes = 100 * kBytes};
  keep_layers(kept, kBytes, limits);
  EXPECT_THROW(kept[0](), common::InterruptedError);
  EXPECT_EQ(kept[0](), media::make_image(3, 2));
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace layerpipe::results
