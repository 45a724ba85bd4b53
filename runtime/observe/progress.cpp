#include "runtime/observe/progress.h"

#include "common/errors.h"

namespace layerpipe::runtime {

void ProgressReporter::check_stop() const {
  if (stop_requested_.load()) throw common::InterruptedError();
}

void ProgressReporter::tell(const Progress& progress) const {
  if (listener_) listener_(progress);
}

void ProgressReporter::tell_computed(std::size_t request) const {
  tell({.phase = phase_,
        .work = Progress::Work::kCompute,
        .done = done_,
        .total = total_,
        .request = request,
        .network = {}});
}

void ProgressReporter::begin_work(std::int64_t units) {
  total_ = units;
  done_ = 0;
  check_stop();
  tell_computed(0);
}

void ProgressReporter::advance(std::size_t request) {
  ++done_;
  check_stop();
  tell_computed(request);
}

void ProgressReporter::count(std::size_t request) {
  ++done_;
  tell_computed(request);
}

void ProgressReporter::go_on() const {
  if (done_ < total_) check_stop();
}

void ProgressReporter::loaded(partition::Network network, std::uint64_t done, std::uint64_t total) {
  tell_bytes(Progress::Work::kLoad, network, done, total);
}

void ProgressReporter::prepared(std::uint64_t done, std::uint64_t total) {
  tell_bytes(Progress::Work::kPrepare, partition::Network::kTransformer, done, total);
}

void ProgressReporter::tell_bytes(Progress::Work work, partition::Network network, std::uint64_t done,
                                  std::uint64_t total) const {
  check_stop();
  tell({.phase = phase_,
        .work = work,
        .done = static_cast<std::int64_t>(done),
        .total = static_cast<std::int64_t>(total),
        .request = 0,
        .network = network});
}

}  // namespace layerpipe::runtime
