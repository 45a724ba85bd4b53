#include "partition/predictor.h"

#include <algorithm>
#include <limits>

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

std::vector<Share> shares_of(const Split& split) {
  std::vector<Share> shares(split.blocks.size());
  std::int64_t block = 0;
  std::int64_t layer = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    shares[i] = {.stage = static_cast<std::int64_t>(i),
                 .blocks = {block, block + split.blocks[i]},
                 .text_layers = {layer, layer + split.text_layers[i]},
                 .has_strips = split.vae_percent[i] > 0};
    block = shares[i].blocks.end;
    layer = shares[i].text_layers.end;
  }
  return shares;
}

Predictor::Chain::Chain(const ChainCost& cost, std::int64_t in_flight)
    : cost_(cost), units_(static_cast<std::int64_t>(cost.units.size())), in_flight_(in_flight), sums_{0} {
  for (const UnitCost& unit : cost.units) sums_.push_back(sum(sums_.back(), unit.weight_bytes));
}

std::uint64_t Predictor::Chain::weights(common::Range range) const {
  if (range.size() <= 0) return 0;
  if (sums_.back() == std::numeric_limits<std::uint64_t>::max()) return sums_.back();
  const std::uint64_t units =
      sums_[static_cast<std::size_t>(range.end)] - sums_[static_cast<std::size_t>(range.begin)];
  return sum(units, cost_.every.weight_bytes, is_first(range) ? cost_.first.weight_bytes : 0,
             is_last(range) ? cost_.last.weight_bytes : 0);
}

std::uint64_t Predictor::Chain::activations(common::Range range) const {
  if (range.size() <= 0) return 0;
  // The one that is worked on, one that comes, one that goes; and, by what is measured on GPUs, one more,
  // that has gone but is not given back yet.
  const bool is_whole = is_first(range) && is_last(range);
  const std::int64_t boundaries = is_whole ? 1 : 2 + (is_first(range) ? 0 : 1) + (is_last(range) ? 0 : 1);
  const std::uint64_t state = sum(cost_.state_bytes, is_first(range) ? cost_.first_state_bytes : 0,
                                  is_last(range) ? cost_.last_state_bytes : 0);
  return sum(cost_.workspace_bytes, product(cost_.boundary_bytes, boundaries), product(state, in_flight_));
}

std::int64_t Predictor::Chain::end_within(std::int64_t begin, std::uint64_t bytes, std::int64_t limit) const {
  const auto first = sums_.begin() + begin;
  return std::upper_bound(first, sums_.begin() + limit + 1, sum(*first, bytes)) - sums_.begin() - 1;
}

Predictor::Predictor(const ModelCost& cost, std::int64_t stages, const PerComponent<Residency>& residency,
                     std::int64_t in_flight)
    : cost_(cost),
      residency_(residency),
      always_(cost.overhead.context_bytes),
      channels_(stages > 1 ? cost.overhead.channel_bytes : 0),
      closed_channels_(stages > 1 ? cost.overhead.closed_channel_bytes : 0),
      transformer_(cost.transformer, in_flight),
      text_encoder_(cost.text_encoder, in_flight) {}

PhaseBytes Predictor::peaks(const Share& share) const {
  const auto is_resident = [&](Component component) { return residency_[component] == Residency::kResident; };
  const bool sees_whole = share.stage == 0;
  const std::uint64_t transformer = transformer_.weights(share.blocks);
  const std::uint64_t text = text_encoder_.weights(share.text_layers);
  const std::uint64_t encoder = share.has_strips || sees_whole ? cost_.vae.encoder_weight_bytes : 0;
  const std::uint64_t decoder = share.has_strips ? cost_.vae.decoder_weight_bytes : 0;

  // What stays while others work.
  const std::uint64_t transformer_stays = is_resident(Component::kTransformer) ? transformer : 0;
  const std::uint64_t text_stays = is_resident(Component::kTextEncoder) ? text : 0;
  const std::uint64_t vae_stays = is_resident(Component::kVae) ? sum(encoder, decoder) : 0;

  const std::uint64_t encode_text = sum(text, vae_stays, text_encoder_.activations(share.text_layers));
  const std::uint64_t encode_picture = sum(
      text_stays, std::max(vae_stays, encoder),
      std::max(share.has_strips ? cost_.vae.encode_bytes : 0, sees_whole ? cost_.vae.encode_whole_bytes : 0));
  return {
      .encode = sum(always_, transformer_stays, std::max(encode_text, encode_picture)),
      .denoise =
          sum(always_, channels_, text_stays, vae_stays, transformer, transformer_.activations(share.blocks)),
      .decode = sum(always_, closed_channels_, transformer_stays, text_stays, std::max(vae_stays, decoder),
                    share.has_strips ? cost_.vae.decode_bytes : 0),
  };
}

std::int64_t Predictor::most_blocks_end(Share share, std::uint64_t budget_bytes, std::int64_t limit) const {
  const std::int64_t begin = share.blocks.begin;
  if (limit <= begin) return begin;
  share.blocks.end = begin + 1;
  const PhaseBytes one = peaks(share);
  if (one.most() > budget_bytes) return begin;
  // What one more block adds, it adds to the phases that hold the transformer.
  const std::uint64_t taken = residency_.transformer == Residency::kResident ? one.most() : one.denoise;
  return transformer_.end_within(begin + 1, budget_bytes - taken, limit);
}

PhaseBytes predict_peaks(const ModelCost& cost, const StagePlan& stage, std::int64_t stages,
                         const PerComponent<Residency>& residency, std::int64_t in_flight) {
  return Predictor(cost, stages, residency, in_flight)
      .peaks({stage.stage, stage.blocks, stage.text_layers, stage.vae_percent > 0});
}

}  // namespace layerpipe::partition
