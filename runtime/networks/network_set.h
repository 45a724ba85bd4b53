// The networks of one rank: its parts of them, loaded when a step of the phases asks for it and let go when
// another does (partition/phase_steps.h), and the modulation table of its part of the transformer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "model/text_encoder/text_encoder.h"
#include "model/transformer/modulation_table.h"
#include "model/transformer/transformer.h"
#include "model/vae/vae.h"
#include "partition/plan.h"
#include "runtime/networks/model_folder.h"

namespace layerpipe::runtime {

// What is told of units that stream. Both may be empty.
struct StreamListener {
  // About ten times a second while one is waited for, by the thread that waits; what it throws ends the work.
  std::function<void()> while_waiting;
  // When a tensor of one is on its way or has come, by a thread of its own; throws nothing.
  std::function<void()> moved;
};

// Used by one thread.
class NetworkSet {
 public:
  // Told in bytes how far a network's loading is; first with 0.
  using LoadListener =
      std::function<void(partition::Network network, std::uint64_t done, std::uint64_t total)>;

  // Checks that the files hold every tensor of this rank's parts; loads nothing yet. `model` outlives the
  // set. `most_pinned_bytes` is how much of the page cache may be pinned for what streams to a GPU
  // (model/weights/registered_pages.h). Throws InputError.
  NetworkSet(const ModelFolder& model, const partition::StagePlan& part, at::Device device,
             at::ScalarType compute_dtype, Linears linears, StreamListener stream_listener = {},
             std::uint64_t most_pinned_bytes = 0);
  NetworkSet(const NetworkSet&) = delete;  // its table refers to its members
  NetworkSet& operator=(const NetworkSet&) = delete;

  // Whether this rank has a part of the network.
  bool has(partition::Network network) const { return slot(network).has_part; }
  // Bytes that loading its part brings to the device: without those of units that stream.
  std::uint64_t weight_bytes(partition::Network network) const { return slot(network).weight_bytes; }

  // Loads this rank's part of a network, unless it is there or there is none; whether it did. Throws
  // InputError, and what the listener throws.
  bool load(partition::Network network, const LoadListener& listener);
  // Lets it go, if it is there.
  void release(partition::Network network);

  // Takes the memory for this rank's part of the transformer's modulation, of so many timesteps, unless it
  // has just that: what it had before is let go first, with what was made. release() leaves it alone.
  void keep_modulation(std::int64_t rows);
  // Makes what is not there yet of the modulation of these timesteps, and of `later` ones as there is room,
  // which its weights pass through the device for (model/transformer/modulation_table.h); whether it did. The
  // listener is told in bytes how far they are; first with 0, once the first of them is there. Calls
  // `after_row` for each row of each layer. Throws like load().
  bool make_modulation(std::span<const float> timesteps, std::span<const float> later,
                       const LoadListener& listener, const std::function<void()>& after_row);
  // What keep_modulation() made.
  const model::ModulationTable& modulation() const { return modulation_.value(); }

  // Loaded networks.
  const model::TextEncoder& text_encoder() const { return text_encoder_.value(); }
  const model::VaeEncoder& vae_encoder() const { return vae_encoder_.value(); }
  const model::Transformer& transformer() const { return transformer_.value(); }
  const model::VaeDecoder& vae_decoder() const { return vae_decoder_.value(); }

 private:
  // All that the set knows of one network. A further network is a further member and a further entry.
  struct Slot {
    bool has_part = false;
    std::function<void(const model::WeightStore&)> build;
    std::function<void()> drop;
    std::function<bool()> is_loaded;
    std::uint64_t weight_bytes = 0;
  };
  // `build` makes the network from a store.
  template <typename Built, typename Build>
  static Slot make_slot(std::optional<Built>& place, bool has_part, Build build);
  const Slot& slot(partition::Network network) const { return slots_.at(network); }
  // The weights of a network's units of this rank, `streamed` of which pass through the device. `load(store,
  // index)` gives one, from any store of the network.
  template <typename Unit, typename Load>
  std::unique_ptr<model::BlockWeights<Unit>> units(partition::Network network,
                                                   const model::WeightStore& store,
                                                   const common::Range& range, std::int64_t streamed,
                                                   Load load) const;

  const ModelFolder& model_;
  at::Device device_;
  at::ScalarType compute_dtype_;
  Linears linears_;
  StreamListener stream_listener_;
  std::uint64_t most_pinned_bytes_;  // of files, by a network that streams; two never do at a time
  std::optional<model::TextEncoder> text_encoder_;
  std::optional<model::VaeEncoder> vae_encoder_;
  std::optional<model::Transformer> transformer_;
  std::optional<model::VaeDecoder> vae_decoder_;
  std::map<partition::Network, Slot> slots_;
  common::Range blocks_;  // of the transformer
  std::optional<model::ModulationTable> modulation_;
  std::uint64_t modulation_weight_bytes_ = 0;  // of those that pass
};

}  // namespace layerpipe::runtime
