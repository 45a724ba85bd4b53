// Pictures on their way to the windows of a run.
#include "session/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "common/errors.h"
#include "media/png_writer.h"
#include "results/layer_pixels.h"
#include "tests/support/local_ranks.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::session {
namespace {

class SilentObserver : public RunObserver {
 public:
  void notice(const std::string&) override {}
  void failed(const std::string&) override {}
  void planned(const PlannedRun&) override {}
  void work_begins(std::function<runtime::MemoryUse()>) override {}
  void window_begins(const common::Range&, std::int64_t) override {}
  void progress(const runtime::Progress&) override {}
  void writing(const results::WritingProgress&) override {}
  void work_ends() noexcept override {}
};

class InputsTest : public ::testing::Test {
 protected:
  InputsTest() {
    for (const char* name : {"a.png", "b.png"}) {
      job_.images.push_back(folder_.path() / name);
      paint(job_.images.back(), static_cast<std::uint8_t>(40 * job_.images.size()));
    }
    job_.prompt = "two";
    job_.resolution = 64;
    job_.any_resolution = true;
    job_.num_images = 2;
  }
  static void paint(const std::filesystem::path& file, std::uint8_t colour) {
    media::Image image = media::make_image(64, 64);
    std::fill(image.pixels.begin(), image.pixels.end(), colour);
    media::write_png(file, image, {});
  }

  layerpipe::testing::TemporaryFolder folder_;
  Job job_;
  std::atomic<bool> stop_{false};
  SilentObserver observer_;
};

TEST_F(InputsTest, KnowSizesBeforeTheWorkAndPixelsWithTheWindow) {
  layerpipe::testing::on_local_ranks(2, [&](comm::Communicator& communicator) {
    Inputs inputs(job_, communicator, stop_, observer_);
    ASSERT_EQ(inputs.work().requests.size(), 4U);
    EXPECT_TRUE(inputs.work().requests[3].picture.is_meta());
    EXPECT_EQ(inputs.work().requests[3].picture.sizes(), at::IntArrayRef({64, 64, 4}));
    EXPECT_EQ(inputs.work().records[3].seed, job_.seed + 1);
    const std::vector<runtime::Request> requests = inputs.window({1, 3});
    ASSERT_EQ(requests.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_EQ(results::pixel_hash(requests[i].picture), inputs.work().records[i + 1].picture_hash);
    EXPECT_FALSE(at::equal(requests[0].picture, requests[1].picture));
  });
}

// One picture of two windows is one tensor, so that it is encoded once.
TEST_F(InputsTest, ShareATensorWithTheWindowBefore) {
  for (const std::uint64_t kept : {Inputs::kMostKeptBytes, std::uint64_t{0}}) {
    layerpipe::testing::on_local_ranks(2, [&](comm::Communicator& communicator) {
      Inputs inputs(job_, communicator, stop_, observer_, kept);
      const auto first = inputs.window({0, 1});
      inputs.read_ahead({1, 3});
      const auto second = inputs.window({1, 3});
      EXPECT_TRUE(second[0].picture.is_same(first[0].picture));
      EXPECT_FALSE(second[1].picture.is_same(first[0].picture));
    });
  }
}

TEST_F(InputsTest, NameAPictureThatHasChangedSinceTheRunBegan) {
  std::array<std::string, 2> said;
  layerpipe::testing::on_local_ranks(2, [&](comm::Communicator& communicator) {
    Inputs inputs(job_, communicator, stop_, observer_, 0);
    inputs.window({0, 2});
    communicator.barrier("changing the picture");
    if (communicator.rank() == 0) paint(job_.images[1], 200);
    inputs.read_ahead({2, 4});
    try {
      inputs.window({2, 4});
    } catch (const common::AgreedError& error) {
      said[static_cast<std::size_t>(communicator.rank())] = error.what();
    }
  });
  EXPECT_THAT(said, ::testing::Each(::testing::EndsWith(": " + job_.images[1].string() +
                                                        " has changed since the run began")));
}

// It ends although the pictures of the next window have not been read.
TEST_F(InputsTest, CanBeGivenUpWhileTheyReadAhead) {
  layerpipe::testing::on_local_ranks(1, [&](comm::Communicator& communicator) {
    Inputs inputs(job_, communicator, stop_, observer_, 0);
    inputs.read_ahead({0, 4});
  });
}

}  // namespace
}  // namespace layerpipe::session
