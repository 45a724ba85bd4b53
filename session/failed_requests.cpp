#include "session/failed_requests.h"

#include <fmt/format.h>

#include "common/errors.h"
#include "session/exit_report.h"

namespace layerpipe::session {

void FailedRequests::add(std::size_t request, const std::exception_ptr& reason) {
  if (!first_) first_ = reason;
  ++count_;
  if (records_.size() == 1) return;
  observer_.notice(
      fmt::format("result {}, of {}: {}", request, records_[request].picture, explain(reason).what));
}

void FailedRequests::throw_if_any() const {
  if (!first_) return;
  if (records_.size() == 1) std::rethrow_exception(first_);
  const Failure first = explain(first_);
  throw common::AgreedError(fmt::format("{} of {} results failed", count_, records_.size()), first.remedy,
                            first.code);
}

}  // namespace layerpipe::session
