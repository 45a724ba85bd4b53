// Blocks that pass through the device: order, places, waiting and failures; on a GPU, that a place is not
// written to while its block is still read.
#include "model/weights/block_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "common/errors.h"
#include "model/weights/streamed_blocks.h"

namespace layerpipe::model {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

// How many of it there are, at present and at most.
struct Census {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
};

struct Number {
  Number(std::int64_t of, Census& in) : value(of), census(&in) {
    const int now = ++in.now;
    int most = in.most;
    while (most < now && !in.most.compare_exchange_weak(most, now)) {
    }
  }
  Number(const Number&) = delete;
  ~Number() { --census->now; }
  std::int64_t value;
  Census* census;
};

struct Loads {
  Census census;
  std::mutex mutex;
  std::vector<std::int64_t> order;

  BlockStreamOptions options(std::vector<std::int64_t> ring, std::int64_t slots = 2) {
    return {.ring = std::move(ring),
            .slots = slots,
            .load = [this](std::int64_t index) -> std::shared_ptr<const void> {
              const std::lock_guard lock(mutex);
              order.push_back(index);
              return std::make_shared<const Number>(10 * index, census);
            }};
  }
  std::vector<std::int64_t> up_to_now() {
    const std::lock_guard lock(mutex);
    return order;
  }
};

std::int64_t value_of(BlockStream& stream, std::int64_t index) {
  const std::int64_t value = static_cast<const Number*>(stream.acquire(index))->value;
  stream.release(index);
  return value;
}

TEST(BlockStream, GivesTheBlocksOfItsRingAgainAndAgain) {
  Loads loads;
  BlockStream stream(loads.options({3, 5, 6}));
  for (int round = 0; round < 20; ++round) {
    for (const std::int64_t index : {3, 5, 6}) EXPECT_EQ(value_of(stream, index), 10 * index);
  }
}

TEST(BlockStream, HasNoMoreBlocksThanPlaces) {
  for (const std::int64_t slots : {1, 2, 3}) {
    Loads loads;
    {
      BlockStream stream(loads.options({0, 1, 2, 3}, slots));
      while (loads.up_to_now().size() < static_cast<std::size_t>(slots)) std::this_thread::yield();
      for (int round = 0; round < 20; ++round) {
        for (std::int64_t index = 0; index < 4; ++index) value_of(stream, index);
      }
    }
    EXPECT_EQ(loads.census.most, slots);
    EXPECT_EQ(loads.census.now, 0);
  }
}

TEST(BlockStream, LoadsAheadWhileABlockIsHeld) {
  Loads loads;
  BlockStream stream(loads.options({0, 1, 2}));
  stream.acquire(0);
  while (loads.up_to_now().size() < 2) std::this_thread::yield();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_THAT(loads.up_to_now(), ElementsAre(0, 1));  // two places: no third
  stream.release(0);
  while (loads.up_to_now().size() < 3) std::this_thread::yield();
  EXPECT_THAT(loads.up_to_now(), ElementsAre(0, 1, 2));
}

TEST(BlockStream, WithOnePlaceLoadsTheNextWhenTheBlockIsReleased) {
  Loads loads;
  BlockStream stream(loads.options({0, 1}, 1));
  stream.acquire(0);
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_THAT(loads.up_to_now(), ElementsAre(0));
  stream.release(0);
  while (loads.up_to_now().size() < 2) std::this_thread::yield();
  EXPECT_THAT(loads.up_to_now(), ElementsAre(0, 1));
}

// A cancelled window ends in the middle of the ring, and the next one begins at its beginning.
TEST(BlockStream, BeginsAgainAnywhere) {
  Loads loads;
  for (const std::int64_t slots : {1, 2}) {
    BlockStream stream(loads.options({0, 1, 2, 3}, slots));
    for (const std::int64_t index : {0, 1, 0, 3, 2, 2}) EXPECT_EQ(value_of(stream, index), 10 * index);
  }
}

TEST(BlockStream, RefusesWhatItCannotGive) {
  Loads loads;
  BlockStream stream(loads.options({0, 1}));
  EXPECT_THAT([&] { stream.acquire(2); },
              ThrowsMessage<common::InternalError>("a block was asked for whose weights do not stream"));
  stream.acquire(0);
  EXPECT_THAT([&] { stream.acquire(1); },
              ThrowsMessage<common::InternalError>("a second block was asked for while one was held"));
  EXPECT_THROW(BlockStream({.ring = {0, 1}, .slots = 0}), common::InternalError);
  EXPECT_THROW(BlockStream({.ring = {}, .slots = 2}), common::InternalError);
}

TEST(BlockStream, ThrowsWhatLoadingThrew) {
  Loads loads;
  BlockStreamOptions options = loads.options({0, 1, 2});
  options.load = [load = options.load, failed = 0](std::int64_t index) mutable {
    if (index == 2 && ++failed == 2) throw common::InputError("the file is gone", "Put it back.");
    return load(index);
  };
  BlockStream stream(std::move(options));
  for (const std::int64_t index : {0, 1, 2, 0, 1}) value_of(stream, index);
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT([&] { stream.acquire(2); }, ThrowsMessage<common::InputError>("the file is gone"));
}

TEST(BlockStream, LooksAroundWhileItWaits) {
  std::atomic<bool> may_load = false;
  Loads loads;
  BlockStreamOptions options = loads.options({0});
  options.load = [&, load = options.load](std::int64_t index) {
    while (!may_load) std::this_thread::sleep_for(milliseconds(1));
    return load(index);
  };
  int looks = 0;
  options.while_waiting = [&] {
    if (++looks < 3) return;
    may_load = true;  // so that the stream can end
    throw common::InternalError("enough");
  };
  BlockStream stream(std::move(options));
  EXPECT_THAT([&] { stream.acquire(0); }, ThrowsMessage<common::InternalError>("enough"));
  EXPECT_EQ(value_of(stream, 0), 0);
}

TEST(StreamedBlocks, LoadsWhatStaysOnceAndTheOthersAgain) {
  std::mutex mutex;
  std::vector<std::int64_t> once;
  std::vector<std::int64_t> again;
  const auto noting = [&](std::vector<std::int64_t>& list) {
    return [&](std::int64_t index) {
      const std::lock_guard lock(mutex);
      list.push_back(index);
      return 10 * index;
    };
  };
  {
    StreamedBlocks<std::int64_t> blocks({2, 6}, {.streamed = 2}, noting(once), noting(again));
    for (int round = 0; round < 3; ++round) {
      for (std::int64_t index = 2; index < 6; ++index) EXPECT_EQ(*blocks.acquire(index), 10 * index);
    }
    EXPECT_THROW(blocks.acquire(6), common::InternalError);
  }
  EXPECT_THAT(once, ElementsAre(2, 4));
  ASSERT_GE(again.size(), 6U);
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_EQ(again[i], i % 2 == 0 ? 3 : 5);
}

}  // namespace
}  // namespace layerpipe::model
