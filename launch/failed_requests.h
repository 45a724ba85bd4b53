// Requests of `layerpipe decompose` that came to nothing.
#pragma once

#include <exception>
#include <vector>

#include "runtime/report.h"

namespace layerpipe::launch {

// Tells of each while others go on; afterwards, throws the first one's reason. On rank 0.
class FailedRequests {
 public:
  // `records` outlive the object.
  explicit FailedRequests(const std::vector<runtime::ResultRecord>& records) : records_(records) {}

  void add(std::size_t request, const std::exception_ptr& reason);
  // Of one request its own failure; of several AgreedError, with the code and the remedy of the first.
  void throw_if_any() const;

 private:
  const std::vector<runtime::ResultRecord>& records_;
  std::exception_ptr first_;
  std::size_t count_ = 0;
};

}  // namespace layerpipe::launch
