#include "model/weights/reading_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <set>
#include <stdexcept>

namespace layerpipe::model {
namespace {

TEST(ReadingThreads, DoEveryPieceOnceByThreadsThatAreTold) {
  constexpr int kPieces = 1000;
  std::vector<std::atomic<int>> done(kPieces);
  std::atomic<bool> is_known_thread{true};
  ReadingThreads threads(3, 4);
  EXPECT_EQ(threads.count(), 3);
  for (int i = 0; i < kPieces; ++i) {
    threads.add([&, i](int thread) {
      if (thread < 0 || thread >= 3) is_known_thread = false;
      ++done[static_cast<std::size_t>(i)];
    });
  }
  threads.finish();
  for (const auto& times : done) EXPECT_EQ(times, 1);
  EXPECT_TRUE(is_known_thread);
}

TEST(ReadingThreads, WorkTogether) {
  std::latch all(3);  // ends only when three pieces are at work at a time
  ReadingThreads threads(3, 8);
  for (int i = 0; i < 3; ++i) threads.add([&](int /*thread*/) { all.arrive_and_wait(); });
  threads.finish();
}

TEST(ReadingThreads, HoldUpWhoAddsMoreThanMayWait) {
  constexpr int kMostWaiting = 2;
  std::latch go(1);
  std::atomic<int> added{0};
  ReadingThreads threads(1, kMostWaiting);
  std::thread adds([&] {
    for (int i = 0; i < 10; ++i) {
      threads.add([&](int /*thread*/) { go.wait(); });
      ++added;
    }
  });
  while (added < kMostWaiting + 1) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(added, kMostWaiting + 1) << "one is at work and two wait";
  go.count_down();
  adds.join();
  threads.finish();
  EXPECT_EQ(added, 10);
}

TEST(ReadingThreads, PassTheFirstFailureAndDropWhatIsBehindIt) {
  std::atomic<int> done{0};
  ReadingThreads threads(1, 100);
  std::latch go(1);
  threads.add([&](int /*thread*/) {
    go.wait();
    throw std::runtime_error("first");
  });
  for (int i = 0; i < 20; ++i) {
    threads.add([&](int /*thread*/) {
      ++done;
      throw std::runtime_error("later");
    });
  }
  go.count_down();
  try {
    threads.finish();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "first");
  }
  EXPECT_EQ(done, 0);
  threads.add([&](int /*thread*/) { ++done; });
  threads.finish();
  EXPECT_EQ(done, 1) << "a failure that has been passed holds nothing up";
}

TEST(ReadingThreads, EndWithoutWhatHasNotBegun) {
  std::atomic<int> done{0};
  std::latch has_begun(1);
  {
    ReadingThreads threads(1, 100);
    threads.add([&](int /*thread*/) {
      has_begun.count_down();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ++done;
    });
    has_begun.wait();
    for (int i = 0; i < 50; ++i) threads.add([&](int /*thread*/) { done += 100; });
  }
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace layerpipe::model
