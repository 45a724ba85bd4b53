// What a rank measures in a run.
#pragma once

#include <cstdint>

#include "runtime/phase.h"
#include "runtime/stage_executor.h"

namespace layerpipe::runtime {

// What a phase took.
struct PhaseFigures {
  double seconds = 0;            // wall time, loading included
  double load_seconds = 0;       // of these, for loading weights
  std::uint64_t peak_bytes = 0;  // MemoryUse::peak
};

// What went over an edge of the ring.
struct EdgeFigures {
  std::int64_t messages = 0;
  std::uint64_t bytes = 0;
  double wait_seconds = 0;  // of the sender, because the edge was full
};

// What one rank measured.
struct RankFigures {
  PerPhase<PhaseFigures> phases;
  StageFigures stage;   // while denoising
  EdgeFigures to_next;  // boundaries, or the last stage's latents
};

}  // namespace layerpipe::runtime
