// Predicts what a stage takes, in constant time for any range of units. Internal to the folder.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <vector>

#include "common/range.h"
#include "partition/phase_steps.h"
#include "partition/plan.h"
#include "partition/problem.h"

namespace layerpipe::partition {

// What a stage is given.
struct Share {
  std::int64_t place = 0;  // among those of the problem
  common::Range blocks;
  common::Range text_layers;
  bool has_strips = false;
  bool sees_whole = false;  // runs the VAE encoder's part that sees whole pictures
  // Of networks that stream: units that stay. None while a split is looked for.
  std::int64_t kept_blocks = 0;
  std::int64_t kept_text_layers = 0;
};

// The share of each place under a split into groups of so many stages.
std::vector<Share> shares_of(const Split& split, std::int64_t stages);

class Predictor {
 public:
  // Keeps a reference to `cost`. `ranks` are those of all groups.
  Predictor(const ModelCost& cost, std::int64_t ranks, const Held& held);

  PhaseBytes peaks(const Share& share) const;
  bool fits(const Share& share, std::uint64_t budget_bytes) const {
    return peaks(share).most() <= budget_bytes;
  }

  // The largest end up to `limit` that share.blocks can have within the budget; its begin when not even one
  // block fits. `limit` is below the number of blocks: a stage that ends the transformer is another matter.
  std::int64_t most_blocks_end(Share share, std::uint64_t budget_bytes, std::int64_t limit) const;

 private:
  // Running sums of a chain's weights, and what else a range of it takes.
  class Chain {
   public:
    Chain(const ChainCost& cost, std::int64_t in_flight, std::int64_t most_in_pass, Residency residency);
    // `kept` counts where the chain streams.
    std::uint64_t weights(common::Range range, std::int64_t kept) const;
    std::uint64_t activations(common::Range range) const;
    bool is_last(common::Range range) const { return range.end == units_; }

   private:
    // Without what the first and the last stage hold beside their units.
    std::uint64_t unit_weights(common::Range range) const;
    std::uint64_t streamed_weights(common::Range range, std::int64_t kept) const;
    bool is_first(common::Range range) const { return range.begin == 0; }
    const ChainCost& cost_;
    std::int64_t units_;
    std::int64_t in_flight_;
    std::int64_t most_in_pass_;
    bool streams_;
    std::vector<std::uint64_t> sums_;  // of the weights of units 0 … i − 1
  };

  template <typename T>
  using PerNetwork = std::array<T, std::size(kNetworks)>;
  static std::size_t index(Network network) { return static_cast<std::size_t>(network); }

  // A step of the window in which a network is loaded, prepared or works, and the networks that are on the
  // device meanwhile.
  struct Work {
    Phase phase;
    StepAction action;
    Network network;
    PerNetwork<bool> held;
  };

  // The bytes of the share's part of a network; 0 when it has no part of it.
  std::uint64_t weights(const Share& share, Network network) const;
  std::uint64_t activations(const Share& share, Network network) const;
  // What the share's modulation table takes, and what is there besides while rows of it are made.
  std::uint64_t table(common::Range blocks) const;
  std::uint64_t making() const;
  // What there is beside a network's weights while the last of them come.
  std::uint64_t loading(Network network) const;
  // What there is beside the weights in a step.
  std::uint64_t beside_weights(const Share& share, const Work& work) const;

  // Calls visit(work, bytes that the device holds at its peak) for all works, in order.
  template <typename Visit>
  void each_work(const Share& share, const Visit& visit) const;

  const ModelCost& cost_;
  std::uint64_t always_;  // whatever the stage computes
  std::int64_t rows_;     // of the modulation table
  std::vector<Work> works_;
  Chain transformer_;
  Chain text_encoder_;
};

}  // namespace layerpipe::partition
