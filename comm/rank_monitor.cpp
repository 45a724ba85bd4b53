#include "comm/rank_monitor.h"

#include <algorithm>
#include <cstdio>

namespace layerpipe::comm {
namespace {

// How long a rank that fails stays to tell the others. Telling takes about a millisecond; a peer that does
// not listen must not hold anybody up.
constexpr std::chrono::milliseconds kTellingTime{500};

std::string seconds(Clock::duration duration) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", std::chrono::duration<double>(duration).count());
  return text;
}

void explain(const std::exception_ptr& error, Failure& failure) {
  try {
    std::rethrow_exception(error);
  } catch (const common::Error& known) {
    failure.reason = known.what();
    failure.remedy = known.remedy();
  } catch (const std::exception& unknown) {
    const std::string text = unknown.what();
    failure.reason = text.substr(0, text.find('\n'));  // LibTorch's go on with a stack
  }
}

}  // namespace

RankMonitor::RankMonitor(int rank, int size, std::chrono::milliseconds timeout)
    : rank_(rank),
      size_(size),
      timeout_(timeout),
      hosts_(static_cast<std::size_t>(size)),
      liveness_(rank, size, timeout, Clock::now()) {}

void RankMonitor::set_hosts(std::vector<std::string> hosts) {
  const std::lock_guard lock(mutex_);
  hosts_ = std::move(hosts);
}

void RankMonitor::moved() noexcept {
  const std::lock_guard lock(mutex_);
  ++counter_;
  liveness_.moved(Clock::now());
}

void RankMonitor::now_doing(std::string doing) {
  const std::lock_guard lock(mutex_);
  doing_ = std::move(doing);
  ++counter_;
  liveness_.moved(Clock::now());
}

std::string RankMonitor::doing() const {
  const std::lock_guard lock(mutex_);
  return doing_;
}

void RankMonitor::update(const std::function<void()>& change) {
  {
    const std::lock_guard lock(mutex_);
    change();
    ++counter_;
    liveness_.moved(Clock::now());
  }
  changed_.notify_all();
}

Failure RankMonitor::describe(const Verdict& verdict, const std::string& observer) const {
  Failure failure{.rank = verdict.rank,
                  .host = host(verdict.rank),
                  .doing = verdict.rank == rank_ ? doing_ : liveness_.pulse(verdict.rank).doing,
                  .blame = verdict.blame};
  const std::string lasted = seconds(verdict.lasted);
  switch (verdict.blame) {
    case Blame::kSilent:
      failure.reason = "has been silent for " + lasted;
      break;
    case Blame::kStandsStill:
      failure.reason = "stands still: nothing moved there for " + lasted;
      break;
    case Blame::kLeft:
      failure.reason = "ended its work " + lasted + " ago and is still waited for";
      break;
    default:
      failure.reason =
          "does not answer: nothing moved for " + lasted + " among ranks that wait for each other";
  }
  failure.reason += "; rank " + std::to_string(rank_) + " " + observer;
  return failure;
}

void RankMonitor::wait_locked(std::unique_lock<std::mutex>& lock, int peer, const std::string& what,
                              const std::function<bool()>& ready) {
  const Clock::time_point since = Clock::now();
  const auto look = std::min<Clock::duration>(interval() / 2, std::chrono::milliseconds(100));
  while (!failure_ && !ready()) {
    if (const auto verdict = liveness_.judge(peer, since, Clock::now())) {
      failure_ = describe(*verdict, "waited for it, " + what);
      changed_.notify_all();
      break;
    }
    changed_.wait_for(lock, look);
  }
}

void RankMonitor::wait(int peer, const std::string& what, const std::function<bool()>& ready) {
  std::unique_lock lock(mutex_);
  if (!failure_ && ready()) return;
  const auto here = awaited_.insert(awaited_.end(), peer);
  wait_locked(lock, peer, what, ready);
  awaited_.erase(here);
  ++counter_;
  liveness_.moved(Clock::now());
  if (!failure_) return;
  lock.unlock();
  wait_until_told();
  throw to_error(*failure());
}

void RankMonitor::check() {
  const auto found = failure();
  if (!found) return;
  wait_until_told();
  throw to_error(*found);
}

void RankMonitor::fail(Failure failure, Known known) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure.host = host(failure.rank);
    failure_ = std::move(failure);
    known_ = known;
  }
  changed_.notify_all();
}

void RankMonitor::connection_failed(int peer, const std::exception_ptr& error) noexcept {
  Failure failure{.rank = peer, .blame = Blame::kConnection};
  {
    const std::lock_guard lock(mutex_);
    failure.doing = peer == rank_ ? doing_ : liveness_.pulse(peer).doing;
  }
  explain(error, failure);
  fail(std::move(failure));
}

void RankMonitor::rank_died(int rank, const std::string& how) noexcept {
  Failure failure{.rank = rank, .reason = how, .blame = Blame::kKilled};
  {
    const std::lock_guard lock(mutex_);
    if (liveness_.pulse(rank).state == RankState::kDone) return;
    failure.doing = liveness_.pulse(rank).doing;
  }
  fail(std::move(failure));
}

void RankMonitor::device_failed(const std::exception_ptr& error) noexcept {
  Failure failure{.rank = rank_, .doing = doing()};
  explain(error, failure);
  fail(std::move(failure));
}

std::optional<Failure> RankMonitor::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void RankMonitor::wait_until_told() noexcept {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kTellingTime, [&] { return told_; });
}

void RankMonitor::begin_idle() {
  const std::lock_guard lock(mutex_);
  ++idle_;
  ++counter_;
  urgent_ = true;
  changed_.notify_all();
}

void RankMonitor::end_idle() noexcept {
  const std::lock_guard lock(mutex_);
  --idle_;
  ++counter_;
  liveness_.moved(Clock::now());
}

void RankMonitor::set_done() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
    urgent_ = true;
    ++counter_;
  }
  changed_.notify_all();
}

void RankMonitor::wait_for_all_done() noexcept {
  std::unique_lock lock(mutex_);
  for (int peer = 0; peer < size_ && !failure_; ++peer) {
    if (peer == rank_) continue;
    wait_locked(lock, peer, "at the end", [&] { return liveness_.pulse(peer).state == RankState::kDone; });
  }
}

void RankMonitor::heard(int from, Pulse pulse) {
  {
    const std::lock_guard lock(mutex_);
    liveness_.heard(from, std::move(pulse), Clock::now());
  }
  changed_.notify_all();
}

Pulse RankMonitor::beat() {
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  liveness_.beat(now);
  if (idle_ > 0 && !failure_) {
    if (const auto verdict = liveness_.judge_silence(now))
      failure_ = describe(*verdict, "was idle meanwhile");
    changed_.notify_all();
  }
  Pulse pulse{.counter = counter_, .doing = doing_};
  if (done_) {
    pulse.state = RankState::kDone;
  } else if (!awaited_.empty()) {
    pulse.state = RankState::kWaiting;
    pulse.waits_for = awaited_.back();
  } else if (idle_ > 0) {
    pulse.state = RankState::kIdle;
  }
  return pulse;
}

void RankMonitor::on_failure(std::function<void(const Failure&)> handler) {
  bool late = false;
  {
    const std::lock_guard lock(mutex_);
    handlers_.push_back(std::move(handler));
    late = told_;
  }
  if (late) call_handlers();
}

bool RankMonitor::known_to_all() const {
  const std::lock_guard lock(mutex_);
  return known_ == Known::kToAll;
}

void RankMonitor::call_handlers() noexcept {
  std::vector<std::function<void(const Failure&)>> handlers;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) handlers.swap(handlers_);
  }
  for (const auto& handler : handlers) handler(*failure());
}

void RankMonitor::set_told() {
  {
    const std::lock_guard lock(mutex_);
    told_ = true;
  }
  changed_.notify_all();
}

bool RankMonitor::rest() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, interval(), [&] { return urgent_ || !beating_ || (failure_ && !told_); });
  // Done and failed are told also when beating ends right after.
  if (!beating_ && !urgent_ && !(failure_ && !told_)) return false;
  urgent_ = false;
  return true;
}

void RankMonitor::end_beating() {
  {
    const std::lock_guard lock(mutex_);
    beating_ = false;
  }
  changed_.notify_all();
}

}  // namespace layerpipe::comm
