#include "runtime/trace.h"

#include <array>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "common/errors.h"
#include "common/files.h"

namespace layerpipe::runtime {
namespace {

using Json = nlohmann::ordered_json;
using Row = TraceEvent::Row;

constexpr std::array kRows{Row::kPhase, Row::kCompute, Row::kReceive, Row::kSend};

const char* name_of(Row row) {
  switch (row) {
    case Row::kPhase:
      return "phases";
    case Row::kCompute:
      return "compute";
    case Row::kReceive:
      return "receive";
    case Row::kSend:
      return "send";
  }
  return "";
}

// Colours that the viewer has by name, one for each request and branch in turn.
constexpr std::array kColours{"thread_state_running",
                              "rail_response",
                              "cq_build_passed",
                              "rail_animation",
                              "thread_state_iowait",
                              "rail_load",
                              "good",
                              "vsync_highlight_color",
                              "startup",
                              "heap_dump_stack_frame"};

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

Json microseconds(double seconds) {
  return seconds * 1e6;
}

Json metadata(const char* what, std::size_t rank, int row, const std::string& name) {
  return {{"ph", "M"}, {"name", what}, {"pid", rank}, {"tid", row}, {"args", {{"name", name}}}};
}

Json slice(const TraceEvent& event, std::size_t rank) {
  Json json{{"ph", "X"},
            {"name", event.name},
            {"pid", rank},
            {"tid", static_cast<int>(event.row)},
            {"ts", microseconds(event.begin)},
            {"dur", microseconds(event.end - event.begin)}};
  if (event.request < 0) return json;
  json["cname"] = kColours[static_cast<std::size_t>(2 * event.request + event.branch) % kColours.size()];
  json["args"] = {{"request", event.request}, {"step", event.step}, {"branch", event.branch}};
  return json;
}

// Arrows from sends to receives: the n-th time that one rank sends a message, the next stage receives it.
class Arrows {
 public:
  explicit Arrows(Json& events) : events_(events) {}

  void add(const TraceEvent& event, std::size_t rank, std::size_t ranks) {
    if (event.request < 0 || (event.row != Row::kSend && event.row != Row::kReceive)) return;
    const bool sends = event.row == Row::kSend;
    // A boundary goes to the next rank in the ring, and so do the last one's latents.
    const std::size_t from = sends ? rank : (rank + ranks - 1) % ranks;
    const auto key = std::tuple(from, event.request, event.step, event.branch);
    const auto id = ids_.try_emplace(key, ids_.size()).first->second;
    Json arrow{{"ph", sends ? "s" : "f"},
               {"name", "boundary"},
               {"cat", "edge"},
               {"id", id},
               {"pid", rank},
               {"tid", static_cast<int>(event.row)},
               {"ts", microseconds(sends ? event.begin : event.end)}};
    if (!sends) arrow["bp"] = "e";
    events_.push_back(std::move(arrow));
  }

 private:
  Json& events_;
  std::map<std::tuple<std::size_t, std::int64_t, std::int32_t, std::int32_t>, std::size_t> ids_;
};

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

void write_trace(const std::filesystem::path& file, std::span<const TracedRank> ranks) {
  Json events = Json::array();
  Arrows arrows(events);
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    events.push_back(metadata("process_name", rank, 0, ranks[rank].name));
    for (const Row row : kRows)
      events.push_back(metadata("thread_name", rank, static_cast<int>(row), name_of(row)));
    for (const TraceEvent& event : ranks[rank].trace.events) {
      events.push_back(slice(event, rank));
      if (ranks.size() > 1) arrows.add(event, rank, ranks.size());
    }
  }
  const Json json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  common::write_file_atomically(file, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace layerpipe::runtime
