#include "model/ops/tiles.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <omp.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/support/thread_count.h"

namespace layerpipe::model::ops {
namespace {

using layerpipe::testing::ThreadCount;

class Tiles : public ::testing::TestWithParam<int> {
 protected:
  ThreadCount threads_{GetParam()};
};

TEST_P(Tiles, EveryTaskOnce) {
  for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
    for_each_task(at::kCPU, count, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
    for (const auto& n : calls) EXPECT_EQ(n, 1);
  }
}

TEST_P(Tiles, AnExceptionIsPassedOn) {
  const auto fail_at = [](std::int64_t bad) {
    for_each_task(at::kCPU, 20, [&](std::int64_t i) {
      if (i == bad) throw std::out_of_range("task " + std::to_string(i));
    });
  };
  for (const std::int64_t bad : {0, 7, 19}) {
    EXPECT_THAT([&] { fail_at(bad); },
                ::testing::ThrowsMessage<std::out_of_range>("task " + std::to_string(bad)));
  }
  EXPECT_NO_THROW(fail_at(20)) << "and the next call works";
}

TEST_P(Tiles, NestedCallsRunOnTheirThread) {
  std::atomic<int> calls{0};
  std::atomic<int> elsewhere{0};
  for_each_task(at::kCPU, 6, [&](std::int64_t) {
    const auto outer = std::this_thread::get_id();
    for_each_task(at::kCPU, 5, [&](std::int64_t) {
      ++calls;
      // With one thread the outer call is no parallel region, and the inner one may be none either.
      if (std::this_thread::get_id() != outer) ++elsewhere;
    });
  });
  EXPECT_EQ(calls, 30);
  EXPECT_EQ(elsewhere, 0);
}

TEST_P(Tiles, TasksSeeOneThreadAndTheCallerItsOwn) {
  std::atomic<int> most{0};
  for_each_task(at::kCPU, 10, [&](std::int64_t) { most = std::max(most.load(), omp_get_max_threads()); });
  EXPECT_EQ(most, 1);
  EXPECT_EQ(omp_get_max_threads(), GetParam());
}

// LibTorch gives every new thread its own number of threads when the thread first asks it for anything: in
// the middle of a task, and oneDNN would block the convolutions behind it differently.
TEST(TilesOnNewThreads, TasksSeeOneThreadAlsoBehindLibTorch) {
  const ThreadCount threads(24);  // more than any other test has begun
  std::atomic<int> most{0};
  for_each_task(at::kCPU, 240, [&](std::int64_t) {
    at::ones({1 << 16}).add_(1);  // large enough for several threads
    most = std::max(most.load(), omp_get_max_threads());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // so that all threads get tasks
  });
  EXPECT_EQ(most, 1);
}

TEST_P(Tiles, RowTilesCoverTheRowsInOrder) {
  for (const std::int64_t rows : {0, 1, 127, 128, 129, 1000}) {
    std::mutex mutex;
    std::map<std::int64_t, std::int64_t> found;
    for_each_row_tile(at::kCPU, rows, [&](common::Range range) {
      const std::lock_guard lock(mutex);
      found[range.begin] = range.end;
    });
    std::int64_t position = 0;
    for (const auto& [begin, end] : found) {
      EXPECT_EQ(begin, position);
      EXPECT_EQ(end, std::min(rows, begin + rows_per_tile(at::kCPU, rows)));
      position = end;
    }
    EXPECT_EQ(position, rows);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Tiles, ::testing::Values(1, 2, 5),
                         [](const auto& info) { return std::to_string(info.param); });

TEST(TileHeight, DependsOnTheRowsAlone) {
  for (const int threads : {1, 2, 5}) {
    const ThreadCount count(threads);
    EXPECT_EQ(rows_per_tile(at::kCPU, 1), 128);
    EXPECT_EQ(rows_per_tile(at::kCPU, 24576), 128);
    // On a GPU as few tiles as keep a tile at 8192 rows, evenly high, in multiples of 128.
    EXPECT_EQ(rows_per_tile(at::kCUDA, 1), 128);
    EXPECT_EQ(rows_per_tile(at::kCUDA, 8192), 8192);
    EXPECT_EQ(rows_per_tile(at::kCUDA, 8193), 4224);
    EXPECT_EQ(rows_per_tile(at::kCUDA, 24576), 8192);
  }
}

}  // namespace
}  // namespace layerpipe::model::ops
