// What a rank did when, for a timeline (results/trace_file.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/schedule/schedule.h"

namespace layerpipe::runtime {

// One thing that a rank did: an instruction of its schedule, a phase, or a part of one.
struct TraceEvent {
  // A rank's rows in the picture.
  enum class Row : std::int32_t { kPhase = 0, kCompute = 1, kReceive = 2, kSend = 3 };
  Row row = Row::kCompute;
  std::string name;
  double begin = 0;  // seconds since the trace's origin
  double end = 0;
  std::int64_t request = -1;  // -1: of none
  std::int32_t step = -1;
  std::int32_t branch = -1;
};

// The trace of one rank. Times count from a moment that all ranks took their zero at.
struct Trace {
  double origin = 0;  // seconds of steady_clock
  std::vector<TraceEvent> events;

  void add(const Instruction& instruction, double begin, double end);
  // A phase, or a part of one, which is drawn below it: "load weights", "text encoder".
  void add_phase(const std::string& name, double begin, double end);
  // The events of a later window of the same rank.
  void append(const Trace& later);
};

// A trace as bytes for another rank, and back. Throws PeerFailedError for bytes that are none.
std::vector<std::byte> serialise(const Trace& trace);
Trace deserialise_trace(std::span<const std::byte> bytes);

}  // namespace layerpipe::runtime
