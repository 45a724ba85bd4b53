// How far a run is, as it is told to whoever watches.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "partition/network.h"

namespace layerpipe::runtime {

// Told to the listener while a network's weights are loaded, in bytes; while the modulation table is made, in
// bytes of the weights that pass; when a phase's own work begins
// (done == 0); and after each unit of it: a step of a request while denoising, a request otherwise.
struct Progress {
  enum class Work { kLoad, kPrepare, kCompute };
  partition::Phase phase;
  Work work;
  std::int64_t done;
  std::int64_t total;
  std::size_t request;         // while computing
  partition::Network network;  // while loading, or preparing
};
using ProgressListener = std::function<void(const Progress&)>;

// Counts the units of one phase after the other, tells the listener, and looks whether the user wants to
// stop.
class ProgressReporter {
 public:
  // Both outlive the object. The listener may be empty.
  ProgressReporter(const ProgressListener& listener, const std::atomic<bool>& stop_requested)
      : listener_(listener), stop_requested_(stop_requested) {}

  partition::Phase phase() const noexcept { return phase_; }
  void begin_phase(partition::Phase phase) { phase_ = phase; }

  // These throw InterruptedError when the user wants to stop.
  void begin_work(std::int64_t units);
  void advance(std::size_t request);
  void loaded(partition::Network network, std::uint64_t done, std::uint64_t total);
  void prepared(std::uint64_t done, std::uint64_t total);
  void check_stop() const;

  // In two halves, where what is done must not be lost: count() tells of the unit, whatever the user wants,
  // and go_on() looks, once it is safe, whether to stop, if units are left.
  void count(std::size_t request);
  void go_on() const;

 private:
  void tell(const Progress& progress) const;
  void tell_computed(std::size_t request) const;
  void tell_bytes(Progress::Work work, partition::Network network, std::uint64_t done,
                  std::uint64_t total) const;

  const ProgressListener& listener_;
  const std::atomic<bool>& stop_requested_;
  partition::Phase phase_ = partition::Phase::kEncode;
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
};

}  // namespace layerpipe::runtime
