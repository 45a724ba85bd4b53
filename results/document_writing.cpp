#include "results/document_writing.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace layerpipe::results {
namespace {

// What ends a task because something else has failed. Nobody sees it.
struct Abandoned {};

constexpr std::chrono::milliseconds kTellInterval{100};

}  // namespace

class WritingTasks {
 public:
  WritingTasks(const std::vector<WritingTask>& tasks, const WritingLimits& limits)
      : tasks_(tasks), limits_(limits), states_(tasks.size()) {}

  // What a thread does until no task is left that it could begin.
  void work() noexcept {
    while (const auto task = next()) {
      std::exception_ptr failure;
      try {
        tasks_[*task].run(WritingSteps(*this, *task));
      } catch (const Abandoned&) {
        failure = nullptr;  // the reason is another one's
      } catch (...) {
        failure = std::current_exception();
      }
      end(*task, failure);
    }
  }

  // Tells until all tasks have ended, after the beginning has been told.
  void tell(const std::function<void(const WritingProgress&)>& told) {
    std::unique_lock lock(mutex_);
    std::uint64_t seen = 0;
    for (bool ended = false; !ended;) {
      // In intervals, so that the smallest steps do not become the work; but the end is not waited for.
      changed_.wait_for(lock, kTellInterval, [&] { return has_ended(); });
      changed_.wait(lock, [&] { return moves_ != seen || has_ended(); });
      const WritingProgress progress = this->progress();
      ended = has_ended();
      seen = moves_;
      lock.unlock();
      told(progress);
      lock.lock();
    }
  }

  void abandon() noexcept {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    changed_.notify_all();
  }

  void throw_failure() const {
    for (const State& state : states_) {
      if (state.failure) std::rethrow_exception(state.failure);
    }
  }

  void step(std::size_t task, std::int64_t units) {
    const std::lock_guard lock(mutex_);
    if (abandoned_) throw Abandoned();
    states_[task].begun += units;
    ++moves_;
    changed_.notify_all();
  }

  // A unit that has begun is not done.
  WritingProgress progress() const {
    WritingProgress progress;
    for (std::size_t task = 0; task < tasks_.size(); ++task) {
      progress.done += std::clamp<std::int64_t>(states_[task].begun - 1, 0, tasks_[task].units);
      progress.total += tasks_[task].units;
    }
    return progress;
  }

  int threads() const noexcept { return std::max(limits_.threads, 1); }

 private:
  struct State {
    enum class Status { kWaiting, kRunning, kEnded };
    Status status = Status::kWaiting;
    std::int64_t begun = 0;  // units
    std::exception_ptr failure;
  };

  std::size_t count(State::Status status) const {
    return static_cast<std::size_t>(std::count_if(
        states_.begin(), states_.end(), [&](const State& state) { return state.status == status; }));
  }
  bool has_ended() const {
    return count(State::Status::kRunning) == 0 && (abandoned_ || count(State::Status::kWaiting) == 0);
  }

  bool may_begin(std::size_t task) const {
    if (states_[task].status != State::Status::kWaiting) return false;
    const auto& behind = tasks_[task].behind;
    if (behind && states_[*behind].status != State::Status::kEnded) return false;
    return count(State::Status::kRunning) == 0 ||
           (used_bytes_ <= limits_.bytes && tasks_[task].bytes <= limits_.bytes - used_bytes_);
  }

  // The task that the calling thread is to do; waits for one that may begin.
  std::optional<std::size_t> next() {
    std::unique_lock lock(mutex_);
    while (!abandoned_ && count(State::Status::kWaiting) > 0) {
      for (std::size_t task = 0; task < tasks_.size(); ++task) {
        if (!may_begin(task)) continue;
        states_[task].status = State::Status::kRunning;
        used_bytes_ += tasks_[task].bytes;
        return task;
      }
      changed_.wait(lock);
    }
    return std::nullopt;
  }

  void end(std::size_t task, std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    states_[task].status = State::Status::kEnded;
    used_bytes_ -= tasks_[task].bytes;
    if (failure) {
      abandoned_ = true;
    } else if (!abandoned_) {
      states_[task].begun = tasks_[task].units + 1;
    }
    states_[task].failure = std::move(failure);
    ++moves_;
    changed_.notify_all();
  }

  const std::vector<WritingTask>& tasks_;
  const WritingLimits& limits_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<State> states_;  // [tasks]
  std::uint64_t used_bytes_ = 0;
  std::uint64_t moves_ = 0;
  bool abandoned_ = false;
};

void WritingSteps::begin_unit() const {
  tasks_.step(task_, 1);
}

void WritingSteps::moved() const {
  tasks_.step(task_, 0);
}

media::EncodingWork WritingSteps::encoding() const {
  return {.threads = tasks_.threads(), .moved = [steps = *this] { steps.moved(); }};
}

void run_writing_tasks(const std::vector<WritingTask>& tasks, const WritingLimits& limits,
                       const std::function<void(const WritingProgress&)>& told) {
  WritingTasks work(tasks, limits);
  told(work.progress());
  std::exception_ptr failure;
  {
    std::vector<std::jthread> threads;
    const std::size_t wanted = std::min(tasks.size(), static_cast<std::size_t>(work.threads()));
    try {
      while (threads.size() < wanted) threads.emplace_back([&work] { work.work(); });
    } catch (const std::system_error&) {
      if (threads.empty()) throw;  // fewer do the same
    }
    try {
      work.tell(told);
    } catch (...) {
      failure = std::current_exception();
      work.abandon();
    }
  }
  if (failure) std::rethrow_exception(failure);
  work.throw_failure();
}

}  // namespace layerpipe::results
