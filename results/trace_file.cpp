#include "results/trace_file.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "common/files.h"

namespace layerpipe::results {
namespace {

using Json = nlohmann::ordered_json;
using runtime::TraceEvent;
using Row = runtime::TraceEvent::Row;

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

Json microseconds(double seconds) {
  return seconds * 1e6;
}

// Perfetto takes a thread's number for one of the whole machine, hides number 0, and takes the thread that
// has its process's number for the first one. So the rows of all ranks are numbered through, from 1.
std::size_t process_of(std::size_t rank) {
  return rank * kRows.size() + 1;
}
std::size_t thread_of(std::size_t rank, Row row) {
  return process_of(rank) + static_cast<std::size_t>(row);
}

Json metadata(const char* what, std::size_t rank, Row row, const std::string& name) {
  return {{"ph", "M"},
          {"name", what},
          {"pid", process_of(rank)},
          {"tid", thread_of(rank, row)},
          {"args", {{"name", name}}}};
}

Json slice(const runtime::TraceEvent& event, std::size_t rank) {
  Json json{{"ph", "X"},
            {"name", event.name},
            {"pid", process_of(rank)},
            {"tid", thread_of(rank, event.row)},
            {"ts", microseconds(event.begin)},
            {"dur", microseconds(event.end - event.begin)}};
  if (event.request < 0) return json;
  json["cname"] = kColours[static_cast<std::size_t>(2 * event.request + event.branch) % kColours.size()];
  json["args"] = {{"request", event.request}, {"step", event.step}, {"branch", event.branch}};
  return json;
}

// Arrows from each send to what the next stage computes with it. Not to its receive, which has often begun
// before the send: Perfetto lets an arrow go from the slice that begins first to the other one.
class Arrows {
 public:
  explicit Arrows(std::size_t ranks) : ranks_(ranks) {}

  void add(const runtime::TraceEvent& event, std::size_t rank) {
    if (event.row == Row::kSend) {
      messages_[{rank, event.request, event.step, event.branch}].sent = Place{&event, rank};
    } else if (event.name == to_string(runtime::Operation::kForward)) {
      if (const auto message = read_by(event, rank)) messages_[*message].read = Place{&event, rank};
    }
  }

  // The latents of a request's last step are sent and nothing is computed with them.
  void write(Json& events) const {
    std::size_t id = 0;
    for (const auto& [message, ends] : messages_) {
      if (!ends.sent || !ends.read) continue;
      events.push_back(end("s", id, *ends.sent));
      events.push_back(end("f", id, *ends.read));
      events.back()["bp"] = "e";  // binds to the slice that it lies in
      ++id;
    }
  }

 private:
  // The sender, request, step and branch.
  using Message = std::tuple<std::size_t, std::int64_t, std::int32_t, std::int32_t>;
  struct Place {
    const runtime::TraceEvent* event;
    std::size_t rank;
  };
  struct Ends {
    std::optional<Place> sent;
    std::optional<Place> read;
  };

  // A boundary goes to the next rank in the ring, and so do the last one's latents, for the next step.
  std::optional<Message> read_by(const runtime::TraceEvent& forward, std::size_t rank) const {
    if (rank > 0) return Message{rank - 1, forward.request, forward.step, forward.branch};
    if (forward.step == 0 || forward.branch > 0) return std::nullopt;
    return Message{ranks_ - 1, forward.request, forward.step - 1, 0};
  }

  static Json end(const char* kind, std::size_t id, const Place& place) {
    return {{"ph", kind},
            {"name", "boundary"},
            {"cat", "edge"},
            {"id", id},
            {"pid", process_of(place.rank)},
            {"tid", thread_of(place.rank, place.event->row)},
            {"ts", microseconds(place.event->begin)}};
  }

  const std::size_t ranks_;
  std::map<Message, Ends> messages_;
};

}  // namespace

void write_trace(const std::filesystem::path& file, std::span<const TracedRank> ranks,
                 const std::string& run_id) {
  Json events = Json::array();
  Arrows arrows(ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    events.push_back(metadata("process_name", rank, kRows.front(), ranks[rank].name));
    for (const Row row : kRows) events.push_back(metadata("thread_name", rank, row, name_of(row)));
    for (const runtime::TraceEvent& event : ranks[rank].trace.events) {
      events.push_back(slice(event, rank));
      if (ranks.size() > 1) arrows.add(event, rank);
    }
  }
  arrows.write(events);  // behind the slices that they bind to
  const Json json{
      {"displayTimeUnit", "ms"}, {"otherData", {{"run_id", run_id}}}, {"traceEvents", std::move(events)}};
  common::write_file_atomically(file, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace layerpipe::results
