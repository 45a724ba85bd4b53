#include "runtime/networks/network_set.h"

#include <utility>

#include "common/spread.h"
#include "model/weights/streamed_blocks.h"

namespace layerpipe::runtime {

template <typename Built, typename Build>
NetworkSet::Slot NetworkSet::make_slot(std::optional<Built>& place, bool has_part, Build build) {
  return {.has_part = has_part,
          .build = [&place, build](const model::WeightStore& store) { build(place, store); },
          .drop = [&place] { place.reset(); },
          .is_loaded = [&place] { return place.has_value(); }};
}

template <typename Unit, typename Load>
std::unique_ptr<model::BlockWeights<Unit>> NetworkSet::units(partition::Network network,
                                                             const model::WeightStore& store,
                                                             const common::Range& range,
                                                             std::int64_t streamed, Load load) const {
  const auto load_one = [&](std::int64_t index) { return load(store, index); };
  if (streamed == 0) return std::make_unique<model::HeldBlocks<Unit>>(range, load_one);
  if (store.device().is_meta()) {  // a dry run: all are looked up, those that stay are weighed
    const std::vector<bool> passes = common::spread(streamed, range.size());
    const auto unheard =
        model::WeightStore::dry_run(model_.source(network, linears_), device_, compute_dtype_);
    return std::make_unique<model::HeldBlocks<Unit>>(range, [&](std::int64_t index) {
      return load(passes[static_cast<std::size_t>(index - range.begin)] ? unheard : store, index);
    });
  }
  // A store is used by one thread.
  const auto again = model::WeightStore(model_.source(network, linears_), device_, compute_dtype_,
                                        [moved = stream_listener_.moved](std::uint64_t) {
                                          if (moved) moved();
                                        })
                         .out_of(std::make_shared<model::RegisteredPages>(
                             device_, model::registrar_for(device_), most_pinned_bytes_))
                         .looking_later();
  return std::make_unique<model::StreamedBlocks<Unit>>(
      range,
      model::StreamingOptions{.streamed = streamed,
                              .slots = partition::stream_slots(streamed, range.size()),
                              .device = device_,
                              .while_waiting = stream_listener_.while_waiting},
      load_one, [again, load](std::int64_t index) {
        Unit unit = load(again, index);
        again.check();
        return unit;
      });
}

NetworkSet::NetworkSet(const ModelFolder& model, const partition::StagePlan& part, at::Device device,
                       at::ScalarType compute_dtype, Linears linears, StreamListener stream_listener,
                       std::uint64_t most_pinned_bytes)
    : model_(model),
      device_(device),
      compute_dtype_(compute_dtype),
      linears_(linears),
      stream_listener_(std::move(stream_listener)),
      most_pinned_bytes_(most_pinned_bytes),
      blocks_(part.blocks) {
  using partition::Network;
  const model::ModelConfig& config = model.config();
  const bool has_strips = part.vae_percent > 0;
  slots_[Network::kTextEncoder] =
      make_slot(text_encoder_, part.text_layers.size() > 0,
                [this, &config = config.text_encoder, layers = part.text_layers,
                 streamed = part.streamed_text_layers](auto& place, const model::WeightStore& store) {
                  place.emplace(store, config, layers, [&] {
                    return units<model::TextLayerWeights>(
                        Network::kTextEncoder, store, layers, streamed,
                        [&config](const model::WeightStore& from, std::int64_t index) {
                          return load_text_layer(language_model_scope(from), config, index);
                        });
                  });
                });
  // The first stage runs the encoder's part that sees whole pictures.
  slots_[Network::kVaeEncoder] = make_slot(
      vae_encoder_, has_strips || part.is_first(),
      [&config](auto& place, const model::WeightStore& store) { place.emplace(store, config.vae); });
  slots_[Network::kTransformer] =
      make_slot(transformer_, part.blocks.size() > 0,
                [this, &config = config.transformer, blocks = part.blocks, streamed = part.streamed_blocks](
                    auto& place, const model::WeightStore& store) {
                  place.emplace(store, config, blocks, [&] {
                    return units<model::TransformerBlockWeights>(
                        Network::kTransformer, store, blocks, streamed,
                        [&config](const model::WeightStore& from, std::int64_t index) {
                          return load_transformer_block(from, config, index);
                        });
                  });
                });
  slots_[Network::kVaeDecoder] = make_slot(
      vae_decoder_, has_strips,
      [&config](auto& place, const model::WeightStore& store) { place.emplace(store, config.vae); });
  if (has(Network::kTransformer)) {
    check_modulation_weights(
        model::WeightStore::dry_run(model_.source(Network::kTransformer), device_, compute_dtype_,
                                    [this](std::uint64_t more) { modulation_weight_bytes_ += more; }),
        config.transformer, blocks_);
  }
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
  const model::WeightStore at_once(model_.source(network, linears_), device_, compute_dtype_,
                                   [&](std::uint64_t bytes) {
                                     done += bytes;
                                     listener(network, done, wanted.weight_bytes);
                                   });
  // The VAE computes with its weights while it loads them.
  const bool is_only_kept =
      network == partition::Network::kTransformer || network == partition::Network::kTextEncoder;
  const auto store = is_only_kept ? at_once.arriving_later() : at_once.looking_later();
  try {
    wanted.build(store);
    store.check();
  } catch (...) {
    wanted.drop();
    throw;
  }
  return true;
}

void NetworkSet::keep_modulation(std::int64_t rows) {
  if (!has(partition::Network::kTransformer) || (modulation_ && modulation_->rows() == rows)) return;
  modulation_.reset();  // before there is a second one on the device
  modulation_.emplace(model_.config().transformer, blocks_, rows, device_, compute_dtype_);
}

bool NetworkSet::make_modulation(std::span<const float> timesteps, std::span<const float> later,
                                 const LoadListener& listener, const std::function<void()>& after_row) {
  constexpr auto kTransformer = partition::Network::kTransformer;
  if (!has(kTransformer)) return false;
  std::uint64_t done = 0;
  const auto store =
      model::WeightStore(model_.source(kTransformer), device_, compute_dtype_, [&](std::uint64_t bytes) {
        if (done == 0) listener(kTransformer, done, modulation_weight_bytes_);
        done += bytes;
        listener(kTransformer, done, modulation_weight_bytes_);
      }).looking_later();
  return modulation_->make(store, timesteps, later, after_row);
}

void NetworkSet::release(partition::Network network) {
  slot(network).drop();
}

}  // namespace layerpipe::runtime
