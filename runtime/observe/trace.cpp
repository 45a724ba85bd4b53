#include "runtime/observe/trace.h"

#include <utility>

#include "comm/wire.h"

namespace layerpipe::runtime {
namespace {

using Row = TraceEvent::Row;

Row row_of(Operation operation) {
  switch (operation) {
    case Operation::kForward:
    case Operation::kJoin:
      return Row::kCompute;
    case Operation::kReceive:
    case Operation::kReceiveLatents:
      return Row::kReceive;
    case Operation::kSend:
    case Operation::kSendLatents:
      return Row::kSend;
  }
  return Row::kCompute;
}

}  // namespace

void Trace::add(const Instruction& instruction, double begin, double end) {
  events.push_back({.row = row_of(instruction.operation),
                    .name = to_string(instruction.operation),
                    .begin = begin - origin,
                    .end = end - origin,
                    .request = instruction.request,
                    .step = instruction.step,
                    .branch = instruction.branch});
}

void Trace::add_phase(const std::string& name, double begin, double end) {
  events.push_back({.row = Row::kPhase, .name = name, .begin = begin - origin, .end = end - origin});
}

void Trace::append(const Trace& later) {
  const double shift = later.origin - origin;
  for (TraceEvent event : later.events) {
    event.begin += shift;
    event.end += shift;
    events.push_back(std::move(event));
  }
}

std::vector<std::byte> serialise(const Trace& trace) {
  comm::WireWriter writer;
  writer.number(static_cast<std::uint64_t>(trace.events.size()));
  for (const TraceEvent& event : trace.events) {
    writer.number(event.row);
    writer.text(event.name);
    writer.number(event.begin);
    writer.number(event.end);
    writer.number(event.request);
    writer.number(event.step);
    writer.number(event.branch);
  }
  return writer.take();
}

Trace deserialise_trace(std::span<const std::byte> bytes) {
  comm::WireReader reader(bytes);
  Trace trace;
  // Every event is read before the next one is made room for: a wrong count ends where the bytes do.
  for (auto left = reader.number<std::uint64_t>(); left > 0; --left) {
    TraceEvent event;
    event.row = reader.number<Row>();
    comm::WireReader::require(event.row >= Row::kPhase && event.row <= Row::kSend, "an unknown row");
    event.name = reader.text();
    event.begin = reader.number<double>();
    event.end = reader.number<double>();
    event.request = reader.number<std::int64_t>();
    event.step = reader.number<std::int32_t>();
    event.branch = reader.number<std::int32_t>();
    trace.events.push_back(std::move(event));
  }
  reader.end();
  return trace;
}

}  // namespace layerpipe::runtime
