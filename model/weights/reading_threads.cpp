#include "model/weights/reading_threads.h"

#include <utility>

namespace layerpipe::model {

ReadingThreads::ReadingThreads(int threads, std::size_t most_waiting) : most_waiting_(most_waiting) {
  threads_.reserve(static_cast<std::size_t>(threads));
  for (int thread = 0; thread < threads; ++thread) threads_.emplace_back([this, thread] { run(thread); });
}

ReadingThreads::~ReadingThreads() {
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
    waiting_.clear();
  }
  added_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ReadingThreads::add(Piece piece) {
  {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [&] { return waiting_.size() < most_waiting_ || failure_; });
    if (failure_) return;
    waiting_.push_back(std::move(piece));
  }
  added_.notify_one();
}

void ReadingThreads::finish() {
  std::exception_ptr failure;
  {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [&] { return waiting_.empty() && at_work_ == 0; });
    failure = std::exchange(failure_, nullptr);
  }
  if (failure) std::rethrow_exception(failure);
}

void ReadingThreads::run(int thread) noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    added_.wait(lock, [&] { return is_ending_ || !waiting_.empty(); });
    if (is_ending_) return;
    Piece piece = std::move(waiting_.front());
    waiting_.pop_front();
    ++at_work_;
    lock.unlock();
    taken_.notify_one();
    std::exception_ptr failure;
    try {
      piece(thread);
    } catch (...) {
      failure = std::current_exception();
    }
    piece = {};  // what it holds goes without the lock
    lock.lock();
    --at_work_;
    if (failure) {
      if (!failure_) failure_ = failure;
      waiting_.clear();
    }
    taken_.notify_one();
  }
}

}  // namespace layerpipe::model
