// Tasks of writing: how many run at a time, what is told of them, and how they end.
#include "results/document_writing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "common/errors.h"

namespace layerpipe::results {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

constexpr std::uint64_t kPlenty = 1 << 20;
const auto kNobody = [](const WritingProgress&) {};

// Counts how many of its tasks run at a time.
class Crowd {
 public:
  // Waits a while for `others` to come, so that as many run together as may.
  WritingTask task(std::uint64_t bytes, int others) {
    return {.units = 1, .bytes = bytes, .behind = {}, .run = [this, others](const WritingSteps&) {
              const int now = ++running_;
              int most = most_.load();
              while (most < now && !most_.compare_exchange_weak(most, now)) {
              }
              const auto until = std::chrono::steady_clock::now() + (now < others ? 300ms : 0ms);
              while (most_.load() < others && std::chrono::steady_clock::now() < until)
                std::this_thread::sleep_for(1ms);
              --running_;
            }};
  }
  int most() const { return most_.load(); }

 private:
  std::atomic<int> running_{0};
  std::atomic<int> most_{0};
};

int most_at_a_time(const WritingLimits& limits, const std::vector<std::uint64_t>& bytes, int others) {
  Crowd crowd;
  std::vector<WritingTask> tasks;
  for (const std::uint64_t each : bytes) tasks.push_back(crowd.task(each, others));
  run_writing_tasks(tasks, limits, kNobody);
  return crowd.most();
}

TEST(WritingTasks, RunSideBySideOnTheThreads) {
  EXPECT_EQ(most_at_a_time({.threads = 4, .bytes = kPlenty}, {1, 1, 1, 1, 1, 1}, 4), 4);
  EXPECT_EQ(most_at_a_time({.threads = 1, .bytes = kPlenty}, {1, 1, 1}, 2), 1);
}

TEST(WritingTasks, RunSideBySideOnlyWhereTheMemoryIsThere) {
  EXPECT_EQ(most_at_a_time({.threads = 4, .bytes = 10}, {5, 5, 5, 5}, 3), 2);
  EXPECT_EQ(most_at_a_time({.threads = 4, .bytes = 9}, {5, 5, 5, 5}, 2), 1);
  EXPECT_EQ(most_at_a_time({.threads = 4, .bytes = 0}, {5, 5}, 2), 1);  // each alone, whatever it takes
  EXPECT_EQ(most_at_a_time({.threads = 4, .bytes = 10}, {8, 8, 1, 1}, 4), 3);  // small ones pass a large one
}

TEST(WritingTasks, RunBehindTheOneThatTheyNeed) {
  std::atomic<bool> first_has_ended{false};
  std::atomic<bool> was_there{false};
  run_writing_tasks({{.units = 1,
                      .bytes = 1,
                      .behind = 1,
                      .run = [&](const WritingSteps&) { was_there = first_has_ended.load(); }},
                     {.units = 1,
                      .bytes = 1,
                      .behind = {},
                      .run =
                          [&](const WritingSteps&) {
                            std::this_thread::sleep_for(20ms);
                            first_has_ended = true;
                          }}},
                    {.threads = 3, .bytes = kPlenty}, kNobody);
  EXPECT_TRUE(was_there.load());
}

TEST(WritingTasks, AreToldByTheCallingThreadAloneAndOnlyUpwards) {
  std::vector<WritingTask> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back({.units = 4, .bytes = 1, .behind = {}, .run = [](const WritingSteps& steps) {
                       for (int unit = 0; unit < 4; ++unit) {
                         steps.begin_unit();
                         std::this_thread::sleep_for(60ms);
                       }
                     }});
  }
  std::vector<std::int64_t> done;
  const auto caller = std::this_thread::get_id();
  run_writing_tasks(tasks, {.threads = 2, .bytes = kPlenty}, [&](const WritingProgress& now) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(now.total, 12);
    done.push_back(now.done);
  });
  EXPECT_EQ(done.front(), 0);
  EXPECT_EQ(done.back(), 12);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end())) << ::testing::PrintToString(done);
  EXPECT_GT(done.size(), 3U);
}

// Another rank that waits for this one would wait for ever for a disk that answers no more.
TEST(WritingTasks, AreToldOnlyWhenSomethingMoves) {
  const auto times_told = [](bool moves) {
    int told = 0;
    run_writing_tasks({{.units = 1,
                        .bytes = 1,
                        .behind = {},
                        .run =
                            [&](const WritingSteps& steps) {
                              for (int i = 0; i < 50; ++i) {
                                std::this_thread::sleep_for(10ms);
                                if (moves) steps.encoding().moved();
                              }
                            }}},
                      {.threads = 1, .bytes = kPlenty}, [&](const WritingProgress&) { ++told; });
    return told;
  };
  EXPECT_EQ(times_told(false), 2);  // at the beginning and at the end
  const auto begin = std::chrono::steady_clock::now();
  const int told = times_told(true);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(told, 4);
  EXPECT_LE(told, took / 100ms + 3);  // not with every one of the fifty moves
}

TEST(WritingTasks, EndWithWhatOneOfThemThrows) {
  std::atomic<int> begun{0};
  const auto endless = [&](const WritingSteps& steps) {
    ++begun;
    while (true) {
      steps.moved();
      std::this_thread::sleep_for(1ms);
    }
  };
  const auto failing = [&](const WritingSteps&) {
    ++begun;
    while (begun.load() < 2) std::this_thread::sleep_for(1ms);
    throw common::OutputError("layers.ora fails");
  };
  const std::vector<WritingTask> tasks{{.units = 1, .bytes = 1, .behind = {}, .run = endless},
                                       {.units = 1, .bytes = 1, .behind = {}, .run = failing},
                                       {.units = 1, .bytes = 1, .behind = {}, .run = endless}};
  try {
    run_writing_tasks(tasks, {.threads = 2, .bytes = kPlenty}, kNobody);
    FAIL() << "nothing was thrown";
  } catch (const common::OutputError& error) {
    EXPECT_STREQ(error.what(), "layers.ora fails");
  }
  EXPECT_EQ(begun.load(), 2) << "what had not begun did not begin any more";
}

TEST(WritingTasks, EndWithWhatTheListenerThrows) {
  const std::vector<WritingTask> tasks(
      3, {.units = 1000000, .bytes = 1, .behind = {}, .run = [](const WritingSteps& steps) {
            while (true) {
              steps.begin_unit();
              std::this_thread::sleep_for(1ms);
            }
          }});
  EXPECT_THROW(run_writing_tasks(tasks, {.threads = 2, .bytes = kPlenty},
                                 [](const WritingProgress& now) {
                                   if (now.done > 0) throw common::InterruptedError();
                                 }),
               common::InterruptedError);
}

}  // namespace
}  // namespace layerpipe::results
