// Requests of a run that failed, while the others went on.
#pragma once

#include <exception>
#include <vector>

#include "results/run_record.h"
#include "session/run_observer.h"

namespace layerpipe::session {

// Tells of each while others go on; afterwards, throws the first one's reason. Rank 0 has one.
class FailedRequests {
 public:
  // Both outlive the object.
  FailedRequests(const std::vector<results::RunRecord>& records, RunObserver& observer)
      : records_(records), observer_(observer) {}

  void add(std::size_t request, const std::exception_ptr& reason);
  // Throws the failure of a request that is alone; of several AgreedError, with the code and the remedy of
  // the first.
  void throw_if_any() const;

 private:
  const std::vector<results::RunRecord>& records_;
  RunObserver& observer_;
  std::exception_ptr first_;
  std::size_t count_ = 0;
};

}  // namespace layerpipe::session
