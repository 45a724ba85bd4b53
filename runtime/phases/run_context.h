// What the phases of one window share on one rank.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "common/clock.h"
#include "partition/plan.h"
#include "runtime/device/device.h"
#include "runtime/networks/network_set.h"
#include "runtime/observe/progress.h"
#include "runtime/observe/trace.h"
#include "runtime/phases/host_exchange.h"
#include "runtime/phases/stage_state.h"
#include "runtime/request/request_state.h"

namespace layerpipe::runtime {

// Rank 0 has the first stage: it reads pictures, keeps the requests' states and gives the results out.
inline constexpr int kFirstRank = 0;

struct RunContext {
  const ModelFolder& model;
  at::Device device;
  at::ScalarType dtype;
  std::span<const Request> requests;
  std::span<const Request> later;  // of the windows behind this one
  const partition::Plan& plan;
  const partition::StagePlan& part;  // this rank's
  comm::Communicator& communicator;
  comm::ChannelKind channel;  // between stages
  HostExchange& exchange;
  NetworkSet& networks;
  std::optional<StageLinks>& links;
  KnownInputs& known;
  std::vector<RequestState> states;  // on rank 0; empty elsewhere
  ProgressReporter progress;
  Trace& trace;
  std::int64_t first_request = 0;  // what messages and the trace call the first one
  double load_seconds = 0;         // of the phase, so far
  // On rank 0: the most memory that each rank has used for decoding, by rank, as they tell with their rows.
  std::vector<std::uint64_t> decode_peak_bytes{};

  bool is_first() const { return part.is_first(); }
  // Where this rank stands among the plan's stages, those of all groups together.
  std::size_t place() const {
    return static_cast<std::size_t>(plan.topology().index_of(communicator.rank()));
  }

  // Says what this rank is at: to the others, in case it fails.
  void now_doing(const std::string& what);
  // Loads this rank's part of a network, if it has one that is not there.
  void load(partition::Network network);
  // Makes what this rank lacks of the modulation of the requests' timesteps.
  void make_modulation();

  // What `work` gives, once the device has done all of it; in the trace as a part of the phase.
  template <typename Work>
  auto traced(const char* name, const Work& work) const {
    const double begin = common::now();
    auto result = work();
    wait_for(device);
    trace.add_phase(name, begin, common::now());
    return result;
  }
};

}  // namespace layerpipe::runtime
