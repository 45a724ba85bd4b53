// What jobs are computed with on one rank.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/agreement.h"
#include "comm/communicator.h"
#include "runtime/device/device.h"
#include "runtime/engine.h"
#include "session/settings.h"

namespace layerpipe::session {

struct Machinery {
  runtime::DeviceFacts device;
  at::ScalarType dtype = at::kFloat;  // that is computed in
  runtime::Linears linears = runtime::Linears::kAsStored;
  comm::ChannelKind channel = comm::ChannelKind::kHost;  // between stages
  std::unique_ptr<runtime::Engine> engine;
  std::string fingerprint;  // of the model
};

// Chooses this rank's device and opens the model, without reading a weight. Called by all ranks. Throws
// AgreedError, and on a rank alone InputError.
Machinery set_up(const Settings& settings, comm::Communicator& communicator);

// What the ranks of a run compute on. Parts of GPUs (MIG) when one of them has such a part.
enum class RanksOn { kCpus, kGpus, kPartsOfGpus };

// What the channels between stages are, for the choice of the config file. Throws InputError for NCCL without
// GPUs.
comm::ChannelKind choose_channel(runtime::ChannelChoice choice, RanksOn ranks);

// What ranks that work on one run cannot differ in.
std::vector<comm::Fact> facts_of(const Settings& settings, const Machinery& machinery);

}  // namespace layerpipe::session
