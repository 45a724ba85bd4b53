#include "runtime/networks/network_set.h"

namespace layerpipe::runtime {

template <typename Built, typename Build>
NetworkSet::Slot NetworkSet::make_slot(std::optional<Built>& place, bool has_part, Build build) {
  return {.has_part = has_part,
          .build = [&place, build](const model::WeightStore& store) { build(place, store); },
          .drop = [&place] { place.reset(); },
          .is_loaded = [&place] { return place.has_value(); }};
}

NetworkSet::NetworkSet(const ModelFolder& model, const partition::StagePlan& part, at::Device device,
                       at::ScalarType compute_dtype, Linears linears)
    : model_(model), device_(device), compute_dtype_(compute_dtype), linears_(linears) {
  using partition::Network;
  const model::ModelConfig& config = model.config();
  const bool has_strips = part.vae_percent > 0;
  slots_[Network::kTextEncoder] =
      make_slot(text_encoder_, part.text_layers.size() > 0,
                [&config, layers = part.text_layers](auto& place, const model::WeightStore& store) {
                  place.emplace(store, config.text_encoder, layers);
                });
  // The first stage runs the encoder's part that sees whole pictures.
  slots_[Network::kVaeEncoder] = make_slot(
      vae_encoder_, has_strips || part.is_first(),
      [&config](auto& place, const model::WeightStore& store) { place.emplace(store, config.vae); });
  slots_[Network::kTransformer] =
      make_slot(transformer_, part.blocks.size() > 0,
                [&config, blocks = part.blocks](auto& place, const model::WeightStore& store) {
                  place.emplace(store, config.transformer, blocks);
                });
  slots_[Network::kVaeDecoder] = make_slot(
      vae_decoder_, has_strips,
      [&config](auto& place, const model::WeightStore& store) { place.emplace(store, config.vae); });
  for (auto& [network, slot] : slots_) {
    if (!slot.has_part) continue;
    slot.build(
        model::WeightStore::dry_run(model_.source(network, linears_), device_, compute_dtype_,
                                    [&slot = slot](std::uint64_t more) { slot.weight_bytes += more; }));
    slot.drop();
  }
}

bool NetworkSet::load(partition::Network network, const LoadListener& listener) {
  const Slot& wanted = slot(network);
  if (!wanted.has_part || wanted.is_loaded()) return false;
  std::uint64_t done = 0;
  listener(network, done, wanted.weight_bytes);
  wanted.build({model_.source(network, linears_), device_, compute_dtype_, [&](std::uint64_t bytes) {
                  done += bytes;
                  listener(network, done, wanted.weight_bytes);
                }});
  return true;
}

void NetworkSet::release(partition::Network network) {
  slot(network).drop();
}

}  // namespace layerpipe::runtime
