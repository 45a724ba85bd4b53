// What a rank measures in a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "partition/phase.h"
#include "runtime/schedule/schedule.h"

namespace layerpipe::runtime {

// What a phase took.
struct PhaseMetrics {
  double seconds = 0;            // wall time, loading included
  double load_seconds = 0;       // of these, for loading weights
  std::uint64_t peak_bytes = 0;  // MemoryUse::peak
};

// Seconds of a stage, from an ExecutionListener's calls.
struct StageMetrics {
  double seconds = 0;       // from the first instruction's begin to the last one's end
  double busy_seconds = 0;  // computing
  double wait_seconds = 0;  // in receive, and in send while the channel was full
  void add(const Instruction& instruction, double begin, double end);

 private:
  double first_ = -1;
};

// What went over an edge of the ring.
struct EdgeMetrics {
  std::int64_t messages = 0;
  std::uint64_t bytes = 0;
  double wait_seconds = 0;  // of the sender, because the edge was full

  EdgeMetrics operator-(const EdgeMetrics& before) const {
    return {messages - before.messages, bytes - before.bytes, wait_seconds - before.wait_seconds};
  }
};

// What one rank measured.
struct RankMetrics {
  partition::PerPhase<PhaseMetrics> phases;
  StageMetrics stage;   // while denoising
  EdgeMetrics to_next;  // boundaries, or the last stage's latents

  // Adds another window: times and messages add up, of peaks the largest counts.
  RankMetrics& operator+=(const RankMetrics& window);
};

// A rank's metrics as bytes for another rank, and back. Throws PeerFailedError for bytes that are none.
std::vector<std::byte> serialise(const RankMetrics& metrics);
RankMetrics deserialise_metrics(std::span<const std::byte> bytes);

}  // namespace layerpipe::runtime
