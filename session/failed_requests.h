// Requests of a run that failed, while the others went on.
#pragma once

#include <exception>
#include <vector>

#include "results/report.h"
#include "session/run_observer.h"

namespace layerpipe::session {

// Tells of each while others go on; afterwards, throws the first one's reason. On rank 0.
class FailedRequests {
 public:
  // Both outlive the object.
  FailedRequests(const std::vector<results::ResultRecord>& records, RunObserver& observer)
      : records_(records), observer_(observer) {}

  void add(std::size_t request, const std::exception_ptr& reason);
  // Of one request its own failure; of several AgreedError, with the code and the remedy of the first.
  void throw_if_any() const;

 private:
  const std::vector<results::ResultRecord>& records_;
  RunObserver& observer_;
  std::exception_ptr first_;
  std::size_t count_ = 0;
};

}  // namespace layerpipe::session
