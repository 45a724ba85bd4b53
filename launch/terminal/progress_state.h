// How far a run is, and how that reads. Pure: nothing here knows the clock, the terminal or the memory.
#pragma once

#include <string>
#include <vector>

#include "common/range.h"
#include "runtime/device/memory.h"
#include "runtime/engine.h"

namespace layerpipe::launch {

// One phase, as far as it has come.
struct PhaseState {
  enum class Status { kWaiting, kLoading, kPreparing, kComputing, kDone };
  Status status = Status::kWaiting;
  partition::Network network{};  // while loading
  std::int64_t done = 0;         // bytes while loading and preparing, else units of work
  std::int64_t total = 0;
  double seconds = 0;          // that the loading, the preparing or the computing has taken
  double seconds_at_unit = 0;  // when the last unit was done
  double phase_seconds = 0;    // of the whole phase, once it is done
};

// Which of the results the phases are at work on, where they do not all go through them together.
struct WindowState {
  common::Range results;
  std::int64_t count = 0;   // of all results; 0: they go together
  double seconds_each = 0;  // of a result, in the windows before; 0 in the first one
};

struct ProgressState {
  WindowState window;
  partition::PerPhase<PhaseState> phases;
  PhaseState writing;  // shown once it has begun: not every run writes files
  runtime::MemoryUse memory;
};

// Seconds that the phase's remaining units will take if they are like those before; less than 0 when no unit
// is done yet.
double seconds_left(const PhaseState& phase);

// "results 3-4 of 10, about 12 min 00 s left", counted from 1. The time is that of this window and those
// behind it.
std::string window_text(const WindowState& window);
// "denoise step 12 of 50, 0.67 s a step, 25 s left": a phase in words.
std::string phase_text(partition::Phase phase, const PhaseState& state);
// "write 7 of 33, 12 s left"
std::string writing_text(const PhaseState& state);

// Whether something of the phase goes on.
bool is_under_way(const PhaseState& state);

// "41.20 GiB in use, 41.50 GiB at most, of 139.80 GiB".
std::string memory_text(const runtime::MemoryUse& memory);

enum class Charset { kAscii, kUnicode };

// The block for a terminal: a line for each phase with a bar, and one for the memory.
std::vector<std::string> progress_block(const ProgressState& state, Charset charset);

// The first `columns` columns of a line, so that a narrow terminal does not break it in two.
std::string fit(const std::string& line, int columns);

}  // namespace layerpipe::launch
