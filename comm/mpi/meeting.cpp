#include "comm/mpi/meeting.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "common/texts.h"

namespace layerpipe::comm::mpi {
namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

std::string seconds(nanoseconds duration) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", std::chrono::duration<double>(duration).count());
  return text;
}

std::string waited_for_it(int rank) {
  return "; rank " + std::to_string(rank) + " waited for it, at the start";
}

// "1, 2 and 5"
std::string list(const std::vector<int>& ranks) {
  std::vector<std::string> numbers;
  for (const int rank : ranks) numbers.push_back(std::to_string(rank));
  return common::listed(numbers, "and");
}

// Why that rank is missing, if it is.
std::optional<std::string> reason_of(const RankFolder::Presence& rank, nanoseconds timeout) {
  if (rank.is_inside || rank.host.empty()) return {};
  if (rank.alive) {
    if (*rank.alive <= timeout) return {};
    return "has been silent for " + seconds(*rank.alive);
  }
  if (!rank.announced || *rank.announced <= timeout + kStarting) return {};
  return "has not come for " + seconds(*rank.announced);
}

Absence absence(Failure failure) {
  failure.doing = "starting";
  return {.what = message(failure), .remedy = remedy(failure)};
}

}  // namespace

std::optional<Absence> find_absence(const RankFolder& folder, nanoseconds timeout, nanoseconds waited) {
  if (const auto death = folder.death()) {
    return absence({.rank = death->rank,
                    .host = death->host,
                    .reason = death->how + waited_for_it(folder.rank()),
                    .blame = Blame::kKilled});
  }
  std::vector<int> elsewhere;
  for (int rank = 0; rank < folder.size(); ++rank) {
    if (rank == folder.rank()) continue;
    const RankFolder::Presence presence = folder.presence(rank);
    if (presence.host.empty()) elsewhere.push_back(rank);
    if (const auto reason = reason_of(presence, timeout)) {
      return absence({.rank = rank,
                      .host = presence.host,
                      .reason = *reason + waited_for_it(folder.rank()),
                      .blame = Blame::kSilent});
    }
  }
  if (waited <= timeout + kMeeting) return {};
  const std::string who = elsewhere.empty() ? "although all of them are alive"
                                            : "and nothing is known here of ranks " + list(elsewhere);
  return Absence{.what = "the ranks have not met within " + seconds(waited) + ", " + who,
                 .remedy =
                     "Check the network between the machines, and that their ranks can start, then start "
                     "again; --timeout allows more."};
}

Meeting::Meeting(RankFolder folder, std::chrono::milliseconds timeout,
                 std::function<void(const Absence&)> missing)
    : folder_(std::move(folder)), timeout_(timeout), missing_(std::move(missing)) {
  folder_.touch();
  thread_ = std::thread([this] { run(); });
}

Meeting::~Meeting() {
  {
    const std::lock_guard lock(mutex_);
    met_ = true;
  }
  changed_.notify_all();
  thread_.join();
  folder_.set_inside();
}

void Meeting::run() {
  const auto interval = std::min<nanoseconds>(std::chrono::seconds(1), timeout_ / 10);
  Clock::time_point begin = Clock::now();
  Clock::time_point last_turn = begin;
  Clock::time_point fair_from = begin;  // others may be judged
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval, [&] { return met_; })) {
    folder_.touch();
    const Clock::time_point now = Clock::now();
    // A process that was itself stopped, as the others may have been with it, gives them time to be heard
    // again.
    if (now - last_turn > timeout_ / 2) {
      begin += now - last_turn;
      fair_from = now + timeout_;
    }
    last_turn = now;
    if (now < fair_from) continue;
    auto absence = find_absence(folder_, timeout_, now - begin);
    if (!absence) continue;
    absence->is_speaker = folder_.claim_message();
    return missing_(*absence);
  }
}

}  // namespace layerpipe::comm::mpi
