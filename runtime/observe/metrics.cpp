#include "runtime/observe/metrics.h"

#include <algorithm>

namespace layerpipe::runtime {

void StageMetrics::add(const Instruction& instruction, double begin, double end) {
  if (first_ < 0) first_ = begin;
  seconds = std::max(seconds, end - first_);
  const bool computes =
      instruction.operation == Operation::kForward || instruction.operation == Operation::kJoin;
  (computes ? busy_seconds : wait_seconds) += end - begin;
}

}  // namespace layerpipe::runtime
