// The partitioner's answer: who holds what, what that takes, and whether it fits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/range.h"
#include "partition/partition_config.h"
#include "partition/topology.h"

namespace layerpipe::partition {

struct PhaseBytes {
  std::uint64_t encode = 0;
  std::uint64_t denoise = 0;
  std::uint64_t decode = 0;
  std::uint64_t most() const;
};

// Places on a device for those of a stage's `count` units that pass through it. Two: one is worked on while
// the next comes. One where seven others or more lie between any two that pass, for the next can come while
// those are worked on; so one unit more stays.
std::int64_t stream_slots(std::int64_t passing, std::int64_t count);
// How many of `count` units pass through the device when `kept` are to stay: none where they would be no more
// than the places for them.
std::int64_t passing_units(std::int64_t count, std::int64_t kept);

struct StagePlan {
  int group = 0;
  int stage = 0;  // of the group; each stage is one shard
  int rank = 0;
  std::string host;
  std::string device;
  common::Range blocks;
  common::Range text_layers;  // may be empty
  double vae_percent = 0;     // of the strips; 0 … 100, all stages together 100
  // Of its blocks and text layers, those that pass through the device; they lie evenly between the others
  // (common/spread.h).
  std::int64_t streamed_blocks = 0;
  std::int64_t streamed_text_layers = 0;
  std::uint64_t free_bytes = 0;     // of the device, before the process
  std::string memory_limit;         // as DeviceInfo has it
  std::uint64_t budget_bytes = 0;   // what the prediction may take: free or the limit, less the reserve
  PhaseBytes predicted_peak_bytes;  // device memory of the process, its context included
  std::uint64_t missing_bytes = 0;  // how far the largest peak is above the budget
  // Filled with Plan::predicted_seconds: the part of the denoising that this stage computes.
  std::optional<double> predicted_busy_share;
  // Filled by runtime/plan/streaming. Of blocks that pass through the device in a step of one picture: the
  // bytes that come to it; how many of them a second are needed so that they come while it computes; how many
  // times as long as with all blocks on the device it is at work.
  std::uint64_t bytes_per_step = 0;
  std::optional<double> bus_bytes_per_second_needed = std::nullopt;  // none: unknown
  std::optional<double> slowdown = std::nullopt;                     // none: unknown

  // Whether its place is the topology's first, whose rank reads pictures, runs the VAE encoder's part that
  // sees whole pictures, and gives the results out.
  bool is_first() const { return group == 0 && stage == 0; }
  bool streams() const { return streamed_blocks > 0 || streamed_text_layers > 0; }
};

// Those of a stage's units that pass through the device, when so many of them do.
std::vector<std::int64_t> passing_of(const common::Range& units, std::int64_t streamed);

struct HostPlan {
  std::string host;
  std::vector<int> ranks;
  // Host memory that stays pinned or in use during a run, all of it for ranks on the CPU.
  std::uint64_t predicted_bytes = 0;
  // Files of which copies have to stay in memory beside it (in the page cache) so that units which stream are
  // read from the disk once: each once, however many of the host's ranks read it.
  std::uint64_t cache_bytes = 0;
  std::optional<std::uint64_t> budget_bytes = std::nullopt;  // what both may take; none: unknown
  std::string memory_limit{};                                // as DeviceInfo::host_memory_limit

  // Whether they stay, as far as it is known.
  bool cache_fits() const;
};

struct Plan {
  bool fits = false;
  Strategy strategy = Strategy::kBalanced;
  PerComponent<Residency> residency;
  std::int64_t in_flight = 1;     // requests in the pipeline at a time
  std::int64_t most_in_pass = 1;  // microbatches that a stage's blocks work on before the next ones
  // Timesteps whose modulation every stage keeps: those of the largest window, and as many more of all
  // requests' as fit. An engine makes room for those of its window in any case.
  std::int64_t modulation_rows = 0;
  std::vector<StagePlan> stages;  // of all groups, in the order of the topology's places
  std::vector<HostPlan> hosts;
  std::vector<std::string> remarks;  // sentences: what was moved and why, what is missing where
  // Filled by runtime/schedule/schedule's simulator when all speeds are known.
  std::optional<double> predicted_step_seconds;  // of one request alone
  std::optional<double> predicted_seconds;       // of the whole workload

  // Who has which place. Throws InternalError when `stages` are not in order, or their ranks are not
  // 0 … n − 1, each once.
  Topology topology() const;

  // Whether units of any stage pass through its device.
  bool streams() const;
};

// How the stages hold what they work with, as a prediction has to know it.
struct Held {
  PerComponent<Residency> residency;
  std::int64_t in_flight = 1;
  std::int64_t modulation_rows = 0;
  std::int64_t most_in_pass = 1;
};
Held held_by(const Plan& plan);

// Whether networks that were made for one plan serve the other as they are: the same stages with the same
// parts, and the same residency.
bool same_layout(const Plan& a, const Plan& b);

}  // namespace layerpipe::partition
