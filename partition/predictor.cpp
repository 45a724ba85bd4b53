#include "partition/predictor.h"

#include <algorithm>
#include <limits>
#include <ranges>

#include "common/spread.h"
#include "partition/partitioner.h"

namespace layerpipe::partition {
namespace {

// Absurd costs stop at the largest number: they fit nowhere, and never wrap round to something small.
std::uint64_t product(std::uint64_t a, std::int64_t b) {
  std::uint64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? std::numeric_limits<std::uint64_t>::max() : result;
}

template <typename... Terms>
std::uint64_t sum(Terms... terms) {
  std::uint64_t result = 0;
  bool overflow = false;
  ((overflow |= __builtin_add_overflow(result, terms, &result)), ...);
  return overflow ? std::numeric_limits<std::uint64_t>::max() : result;
}

}  // namespace

std::vector<Share> shares_of(const Split& split, std::int64_t stages) {
  std::vector<Share> shares(split.blocks.size());
  std::int64_t block = 0;
  std::int64_t layer = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    if (place % stages == 0) block = 0;  // each group begins anew
    shares[i] = {.place = place,
                 .blocks = {block, block + split.blocks[i]},
                 .text_layers = {layer, layer + split.text_layers[i]},
                 .has_strips = split.vae_percent[i] > 0,
                 .sees_whole = i == 0};
    block = shares[i].blocks.end;
    layer = shares[i].text_layers.end;
  }
  return shares;
}

Predictor::Chain::Chain(const ChainCost& cost, std::int64_t in_flight, std::int64_t most_in_pass,
                        Residency residency)
    : cost_(cost),
      units_(static_cast<std::int64_t>(cost.units.size())),
      in_flight_(in_flight),
      most_in_pass_(most_in_pass),
      streams_(residency == Residency::kStreamed),
      sums_{0} {
  for (const UnitCost& unit : cost.units) sums_.push_back(sum(sums_.back(), unit.weight_bytes));
}

std::uint64_t Predictor::Chain::unit_weights(common::Range range) const {
  if (range.size() <= 0) return 0;
  if (sums_.back() == std::numeric_limits<std::uint64_t>::max()) return sums_.back();
  return sums_[static_cast<std::size_t>(range.end)] - sums_[static_cast<std::size_t>(range.begin)];
}

// Those that stay, the places for those that pass, each as large as the largest of them, what is lost between
// them, the table of the pages that they come from, and what one that comes is converted from.
std::uint64_t Predictor::Chain::streamed_weights(common::Range range, std::int64_t kept) const {
  const std::int64_t passing = passing_units(range.size(), kept);
  if (passing == 0) return unit_weights(range);
  const std::vector<bool> passes = common::spread(passing, range.size());
  std::uint64_t bytes = 0;
  std::uint64_t largest = 0;
  std::uint64_t moved = 0;
  for (std::int64_t i = 0; i < range.size(); ++i) {
    const UnitCost& unit = cost_.units[static_cast<std::size_t>(range.begin + i)];
    if (passes[static_cast<std::size_t>(i)]) {
      largest = std::max(largest, unit.weight_bytes);
      moved = sum(moved, unit.moved_bytes);
    } else {
      bytes = sum(bytes, unit.weight_bytes);
    }
  }
  const std::uint64_t table = cost_.passing_per_table_byte == 0 ? 0 : moved / cost_.passing_per_table_byte;
  return sum(bytes, product(largest, stream_slots(passing, range.size())), cost_.passing_bytes, table,
             cost_.conversion_bytes);
}

std::uint64_t Predictor::Chain::weights(common::Range range, std::int64_t kept) const {
  if (range.size() <= 0) return 0;
  return sum(streams_ ? streamed_weights(range, kept) : unit_weights(range),
             is_first(range) ? cost_.first.weight_bytes : 0, is_last(range) ? cost_.last.weight_bytes : 0);
}

std::uint64_t Predictor::Chain::activations(common::Range range) const {
  if (range.size() <= 0) return 0;
  // The one that is worked on, one that comes, one that goes; and, by what is measured on GPUs, one more,
  // that has gone but is not given back yet.
  const bool is_whole = is_first(range) && is_last(range);
  const std::int64_t boundaries =
      (is_whole ? 1 : 2 + (is_first(range) ? 0 : 1) + (is_last(range) ? 0 : 1)) + most_in_pass_ - 1;
  const std::uint64_t state = sum(cost_.state_bytes, is_first(range) ? cost_.first_state_bytes : 0,
                                  is_last(range) ? cost_.last_state_bytes : 0);
  return sum(cost_.workspace_bytes, product(cost_.boundary_bytes, boundaries),
             is_whole ? cost_.alone_bytes : 0, product(state, in_flight_));
}

Predictor::Predictor(const ModelCost& cost, std::int64_t ranks, const Held& held)
    : cost_(cost),
      always_(sum(cost.overhead.context_bytes, ranks > 1 ? cost.overhead.channel_bytes : 0,
                  held.residency.transformer == Residency::kStreamed ||
                          held.residency.text_encoder == Residency::kStreamed
                      ? cost.overhead.streaming_bytes
                      : 0)),
      rows_(held.modulation_rows),
      transformer_(cost.transformer, held.in_flight, held.most_in_pass, held.residency.transformer),
      text_encoder_(cost.text_encoder, held.in_flight, 1, held.residency.text_encoder) {
  PerNetwork<bool> there{};
  for (const PhaseStep& step : phase_steps(held.residency)) {
    if (step.action == StepAction::kRelease) {
      there[index(step.network)] = false;
      continue;
    }
    if (step.action == StepAction::kLoad) {
      there[index(step.network)] = true;
      if (loading(step.network) == 0) continue;  // the steps behind take no less
    }
    works_.push_back({step.phase, step.action, step.network, there});
  }
}

std::uint64_t Predictor::weights(const Share& share, Network network) const {
  switch (network) {
    case Network::kTextEncoder:
      return text_encoder_.weights(share.text_layers, share.kept_text_layers);
    case Network::kVaeEncoder:
      return share.has_strips || share.sees_whole ? cost_.vae.encoder_weight_bytes : 0;
    case Network::kTransformer:
      return transformer_.weights(share.blocks, share.kept_blocks);
    case Network::kVaeDecoder:
      return share.has_strips ? cost_.vae.decoder_weight_bytes : 0;
  }
  return 0;
}

std::uint64_t Predictor::activations(const Share& share, Network network) const {
  switch (network) {
    case Network::kTextEncoder:
      return text_encoder_.activations(share.text_layers);
    case Network::kVaeEncoder:  // strips first, whole pictures afterwards
      return std::max(share.has_strips ? cost_.vae.encode_bytes : 0,
                      share.sees_whole ? cost_.vae.encode_whole_bytes : 0);
    case Network::kTransformer:
      return transformer_.activations(share.blocks);
    case Network::kVaeDecoder:
      return share.has_strips ? cost_.vae.decode_bytes : 0;
  }
  return 0;
}

std::uint64_t Predictor::table(common::Range blocks) const {
  if (blocks.size() <= 0 || rows_ == 0) return 0;
  const TableCost& table = cost_.transformer.table;
  const std::uint64_t row = sum(product(table.unit_row_bytes, blocks.size()),
                                transformer_.is_last(blocks) ? table.last_row_bytes : 0);
  return sum(product(row, rows_), table.rounding_bytes);
}

std::uint64_t Predictor::making() const {
  const TableCost& table = cost_.transformer.table;
  return rows_ == 0 ? 0 : sum(table.making_bytes, product(table.making_row_bytes, rows_));
}

std::uint64_t Predictor::loading(Network network) const {
  return network == Network::kTransformer   ? cost_.transformer.conversion_bytes
         : network == Network::kTextEncoder ? cost_.text_encoder.conversion_bytes
                                            : 0;
}

std::uint64_t Predictor::beside_weights(const Share& share, const Work& work) const {
  if (work.action == StepAction::kPrepare) return making();
  return work.action == StepAction::kLoad ? loading(work.network) : activations(share, work.network);
}

template <typename Visit>
void Predictor::each_work(const Share& share, const Visit& visit) const {
  PerNetwork<std::uint64_t> weight_bytes{};
  for (const Network network : kNetworks) weight_bytes[index(network)] = weights(share, network);
  // It stays from window to window, so it is counted in all phases.
  const std::uint64_t kept = sum(always_, table(share.blocks));
  for (const Work& work : works_) {
    // Without a part of a network nothing of it comes.
    const bool is_idle = work.action == StepAction::kLoad && weight_bytes[index(work.network)] == 0;
    std::uint64_t bytes = sum(kept, is_idle ? 0 : beside_weights(share, work));
    for (std::size_t i = 0; i < weight_bytes.size(); ++i)
      bytes = sum(bytes, work.held[i] ? weight_bytes[i] : 0);
    visit(work, bytes);
  }
}

PhaseBytes Predictor::peaks(const Share& share) const {
  PerPhase<std::uint64_t> most;
  each_work(share, [&](const Work& work, std::uint64_t bytes) {
    most[work.phase] = std::max(most[work.phase], bytes);
  });
  return {.encode = most.encode, .denoise = most.denoise, .decode = most.decode};
}

std::int64_t Predictor::most_blocks_end(Share share, std::uint64_t budget_bytes, std::int64_t limit) const {
  const std::int64_t begin = share.blocks.begin;
  if (limit <= begin) return begin;
  share.blocks.end = begin + 1;
  // What one more block weighs, it adds to the work that is done while the transformer is held; its part of
  // the table to all work.
  std::uint64_t most = 0;
  std::uint64_t most_with_transformer = 0;
  each_work(share, [&](const Work& work, std::uint64_t bytes) {
    most = std::max(most, bytes);
    if (work.held[index(Network::kTransformer)])
      most_with_transformer = std::max(most_with_transformer, bytes);
  });
  if (most > budget_bytes) return begin;
  const std::uint64_t row_bytes = product(cost_.transformer.table.unit_row_bytes, rows_);
  const auto weights_until = [&](std::int64_t end) {
    return transformer_.weights({begin, end}, share.kept_blocks);
  };
  const auto fit = [&](std::int64_t end) {
    const std::uint64_t rows = product(row_bytes, end - begin - 1);
    return sum(most, rows) <= budget_bytes &&
           sum(most_with_transformer, rows, weights_until(end) - weights_until(begin + 1)) <= budget_bytes;
  };
  const auto ends = std::views::iota(begin + 1, limit + 1);
  return begin + (std::ranges::partition_point(ends, fit) - ends.begin());
}

PhaseBytes predict_peaks(const ModelCost& cost, const StagePlan& stage, std::int64_t ranks,
                         const Held& held) {
  return Predictor(cost, ranks, held)
      .peaks({.blocks = stage.blocks,
              .text_layers = stage.text_layers,
              .has_strips = stage.vae_percent > 0,
              .sees_whole = stage.is_first(),
              .kept_blocks = stage.blocks.size() - stage.streamed_blocks,
              .kept_text_layers = stage.text_layers.size() - stage.streamed_text_layers});
}

}  // namespace layerpipe::partition
