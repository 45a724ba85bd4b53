#include "runtime/observe/trace.h"

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

using Json = nlohmann::ordered_json;
using Row = TraceEvent::Row;

constexpr std::array kRows{Row::kPhase, Row::kCompute, Row::kReceive, Row::kSend};

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

std::vector<std::byte> serialise(const Trace& trace) {
  Json events = Json::array();
  for (const TraceEvent& event : trace.events) {
    events.push_back({static_cast<int>(event.row), event.name, event.begin, event.end, event.request,
                      event.step, event.branch});
  }
  const std::vector<std::uint8_t> packed = Json::to_cbor(events);
  std::vector<std::byte> bytes(packed.size());
  std::memcpy(bytes.data(), packed.data(), packed.size());
  return bytes;
}

Trace deserialise_trace(std::span<const std::byte> bytes) {
  Trace trace;
  try {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    for (const Json& event : Json::from_cbor(begin, begin + bytes.size())) {
      trace.events.push_back({.row = kRows.at(event.at(0).get<std::size_t>()),
                              .name = event.at(1).get<std::string>(),
                              .begin = event.at(2).get<double>(),
                              .end = event.at(3).get<double>(),
                              .request = event.at(4).get<std::int64_t>(),
                              .step = event.at(5).get<std::int32_t>(),
                              .branch = event.at(6).get<std::int32_t>()});
    }
  } catch (const std::exception& error) {
    throw common::PeerFailedError(std::string("a rank sent a trace that cannot be read: ") + error.what());
  }
  return trace;
}

}  // namespace layerpipe::runtime
