#include "runtime/networks/network_set.h"

#include "common/errors.h"

namespace layerpipe::runtime {

NetworkSet::NetworkSet(const ModelFolder& model, const partition::StagePlan& part,
                       const partition::PerComponent<partition::Residency>& residency, at::Device device,
                       at::ScalarType dtype)
    : model_(model), part_(part), residency_(residency), device_(device), dtype_(dtype) {
  for (const partition::Network network : partition::kNetworks) {
    std::uint64_t& bytes = weight_bytes_[network];
    if (!has(network)) continue;
    build(network, model::WeightStore::dry_run(model_.source(network), device_, dtype_,
                                               [&bytes](std::uint64_t more) { bytes += more; }));
    drop(network);
  }
}

bool NetworkSet::has(partition::Network network) const {
  switch (network) {
    case partition::Network::kTextEncoder:
      return part_.text_layers.size() > 0;
    case partition::Network::kTransformer:
      return part_.blocks.size() > 0;
    // The first rank runs the encoder's part that sees whole pictures.
    case partition::Network::kVaeEncoder:
      return part_.vae_percent > 0 || part_.is_first();
    case partition::Network::kVaeDecoder:
      return part_.vae_percent > 0;
  }
  return false;
}

bool NetworkSet::is_resident(partition::Network network) const {
  return residency_[component_of(network)] == partition::Residency::kResident;
}

bool NetworkSet::is_loaded(partition::Network network) const {
  switch (network) {
    case partition::Network::kTextEncoder:
      return text_encoder_.has_value();
    case partition::Network::kTransformer:
      return transformer_.has_value();
    case partition::Network::kVaeEncoder:
      return vae_encoder_.has_value();
    case partition::Network::kVaeDecoder:
      return vae_decoder_.has_value();
  }
  return false;
}

void NetworkSet::build(partition::Network network, const model::WeightStore& store) {
  const model::ModelConfig& config = model_.config();
  switch (network) {
    case partition::Network::kTextEncoder:
      text_encoder_.emplace(store, config.text_encoder, part_.text_layers);
      break;
    case partition::Network::kTransformer:
      transformer_.emplace(store, config.transformer, part_.blocks);
      break;
    case partition::Network::kVaeEncoder:
      vae_encoder_.emplace(store, config.vae);
      break;
    case partition::Network::kVaeDecoder:
      vae_decoder_.emplace(store, config.vae);
      break;
  }
}

void NetworkSet::drop(partition::Network network) {
  switch (network) {
    case partition::Network::kTextEncoder:
      text_encoder_.reset();
      break;
    case partition::Network::kTransformer:
      transformer_.reset();
      break;
    case partition::Network::kVaeEncoder:
      vae_encoder_.reset();
      break;
    case partition::Network::kVaeDecoder:
      vae_decoder_.reset();
      break;
  }
}

void NetworkSet::load_resident(const LoadListener& listener) {
  for (const partition::Network network : partition::kNetworks) {
    if (is_resident(network)) load(network, listener);
  }
}

void NetworkSet::load(partition::Network network, const LoadListener& listener) {
  if (!has(network) || is_loaded(network)) return;
  const std::uint64_t total = weight_bytes(network);
  std::uint64_t done = 0;
  if (total > 0) listener(network, done, total);
  build(network, {model_.source(network), device_, dtype_, [&](std::uint64_t bytes) {
                    done += bytes;
                    if (bytes > 0) listener(network, done, total);
                  }});
}

void NetworkSet::release(partition::Network network) {
  if (!is_resident(network)) drop(network);
}

}  // namespace layerpipe::runtime
