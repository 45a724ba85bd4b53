#include "launch/failed_requests.h"

#include <fmt/format.h>

#include "common/errors.h"
#include "launch/failure.h"
#include "launch/terminal.h"

namespace layerpipe::launch {

void FailedRequests::add(std::size_t request, const std::exception_ptr& reason) {
  if (!first_) first_ = reason;
  ++count_;
  if (records_.size() == 1) return;
  say(fmt::format("result {}, of {}: {}\n", request, records_[request].picture, explain(reason).what));
}

void FailedRequests::throw_if_any() const {
  if (!first_) return;
  if (records_.size() == 1) std::rethrow_exception(first_);
  const Failure first = explain(first_);
  throw common::AgreedError(fmt::format("{} of {} results came to nothing", count_, records_.size()),
                            first.remedy, first.code);
}

}  // namespace layerpipe::launch
