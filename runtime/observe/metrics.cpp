#include "runtime/observe/metrics.h"

#include <algorithm>

#include "comm/wire.h"

namespace layerpipe::runtime {

void StageMetrics::add(const Instruction& instruction, double begin, double end) {
  if (first_ < 0) first_ = begin;
  seconds = std::max(seconds, end - first_);
  const bool computes =
      instruction.operation == Operation::kForward || instruction.operation == Operation::kJoin;
  (computes ? busy_seconds : wait_seconds) += end - begin;
}

RankMetrics& RankMetrics::operator+=(const RankMetrics& window) {
  for (const partition::Phase phase : partition::kPhases) {
    phases[phase].seconds += window.phases[phase].seconds;
    phases[phase].load_seconds += window.phases[phase].load_seconds;
    phases[phase].peak_bytes = std::max(phases[phase].peak_bytes, window.phases[phase].peak_bytes);
  }
  stage.seconds += window.stage.seconds;
  stage.busy_seconds += window.stage.busy_seconds;
  stage.wait_seconds += window.stage.wait_seconds;
  to_next.messages += window.to_next.messages;
  to_next.bytes += window.to_next.bytes;
  to_next.wait_seconds += window.to_next.wait_seconds;
  return *this;
}

std::vector<std::byte> serialise(const RankMetrics& metrics) {
  comm::WireWriter writer;
  for (const partition::Phase phase : partition::kPhases) {
    writer.number(metrics.phases[phase].seconds);
    writer.number(metrics.phases[phase].load_seconds);
    writer.number(metrics.phases[phase].peak_bytes);
  }
  writer.number(metrics.stage.seconds);
  writer.number(metrics.stage.busy_seconds);
  writer.number(metrics.stage.wait_seconds);
  writer.number(metrics.to_next.messages);
  writer.number(metrics.to_next.bytes);
  writer.number(metrics.to_next.wait_seconds);
  return writer.take();
}

RankMetrics deserialise_metrics(std::span<const std::byte> bytes) {
  comm::WireReader reader(bytes);
  RankMetrics metrics;
  for (const partition::Phase phase : partition::kPhases) {
    metrics.phases[phase].seconds = reader.number<double>();
    metrics.phases[phase].load_seconds = reader.number<double>();
    metrics.phases[phase].peak_bytes = reader.number<std::uint64_t>();
  }
  metrics.stage.seconds = reader.number<double>();
  metrics.stage.busy_seconds = reader.number<double>();
  metrics.stage.wait_seconds = reader.number<double>();
  metrics.to_next.messages = reader.number<std::int64_t>();
  metrics.to_next.bytes = reader.number<std::uint64_t>();
  metrics.to_next.wait_seconds = reader.number<double>();
  reader.end();
  return metrics;
}

}  // namespace layerpipe::runtime
