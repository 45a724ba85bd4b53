#include "media/ordered_pieces.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace layerpipe::media {
namespace {

class OrderedWork {
 public:
  OrderedWork(std::size_t count, const PieceMaker& maker) : count_(count), maker_(maker) {}

  // What each thread does. Indices are given out in their order, so whoever waits waits for threads that
  // work.
  void run() noexcept {
    try {
      while (const auto index = next()) {
        const std::vector<std::byte> piece = maker_.make(*index);
        std::unique_lock lock(mutex_);
        its_turn_.wait(lock, [&] { return failure_ || taken_ == *index; });
        if (failure_) return;
        maker_.take(*index, piece);
        ++taken_;
        its_turn_.notify_all();
      }
    } catch (...) {
      fail(std::current_exception());
    }
  }

  void throw_if_failed() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::optional<std::size_t> next() {
    const std::lock_guard lock(mutex_);
    if (failure_ || given_ == count_) return std::nullopt;
    return given_++;
  }

  void fail(std::exception_ptr failure) noexcept {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    its_turn_.notify_all();
  }

  const std::size_t count_;
  const PieceMaker& maker_;
  std::mutex mutex_;  // guards all below
  std::condition_variable its_turn_;
  std::size_t given_ = 0;
  std::size_t taken_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void make_in_order(std::size_t count, int threads, const PieceMaker& maker) {
  OrderedWork work(count, maker);
  {
    std::vector<std::jthread> others;
    const std::size_t wanted = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    try {
      while (others.size() + 1 < wanted) others.emplace_back([&work] { work.run(); });
    } catch (const std::system_error&) {
      // The system gives no more threads; those that are there do it.
    }
    work.run();
  }
  work.throw_if_failed();
}

}  // namespace layerpipe::media
