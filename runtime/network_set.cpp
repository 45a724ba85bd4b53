#include "runtime/network_set.h"

#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

using partition::Component;

Component component(Network network) {
  if (network == Network::kTextEncoder) return Component::kTextEncoder;
  return network == Network::kTransformer ? Component::kTransformer : Component::kVae;
}

}  // namespace

NetworkSet::NetworkSet(const ModelFolder& model, const partition::StagePlan& part,
                       const partition::PerComponent<partition::Residency>& residency, at::Device device,
                       at::ScalarType dtype)
    : model_(model), part_(part), residency_(residency), device_(device), dtype_(dtype) {
  for (const Network network : kNetworks) {
    std::uint64_t& bytes = weight_bytes_[network];
    if (!has(network)) continue;
    build(network, model::WeightStore::dry_run(model_.source(network), device_, dtype_,
                                               [&bytes](std::uint64_t more) { bytes += more; }));
    drop(network);
  }
}

bool NetworkSet::has(Network network) const {
  switch (network) {
    case Network::kTextEncoder:
      return part_.text_layers.size() > 0;
    case Network::kTransformer:
      return part_.blocks.size() > 0;
    // The first stage runs the encoder's part that sees whole pictures.
    case Network::kVaeEncoder:
      return part_.vae_percent > 0 || part_.stage == 0;
    case Network::kVaeDecoder:
      return part_.vae_percent > 0;
  }
  return false;
}

bool NetworkSet::is_resident(Network network) const {
  return residency_[component(network)] == partition::Residency::kResident;
}

bool NetworkSet::is_loaded(Network network) const {
  switch (network) {
    case Network::kTextEncoder:
      return text_encoder_.has_value();
    case Network::kTransformer:
      return transformer_.has_value();
    case Network::kVaeEncoder:
      return vae_encoder_.has_value();
    case Network::kVaeDecoder:
      return vae_decoder_.has_value();
  }
  return false;
}

void NetworkSet::build(Network network, const model::WeightStore& store) {
  const model::ModelConfig& config = model_.config();
  switch (network) {
    case Network::kTextEncoder:
      text_encoder_.emplace(store, config.text_encoder, part_.text_layers);
      break;
    case Network::kTransformer:
      transformer_.emplace(store, config.transformer, part_.blocks);
      break;
    case Network::kVaeEncoder:
      vae_encoder_.emplace(store, config.vae);
      break;
    case Network::kVaeDecoder:
      vae_decoder_.emplace(store, config.vae);
      break;
  }
}

void NetworkSet::drop(Network network) {
  switch (network) {
    case Network::kTextEncoder:
      text_encoder_.reset();
      break;
    case Network::kTransformer:
      transformer_.reset();
      break;
    case Network::kVaeEncoder:
      vae_encoder_.reset();
      break;
    case Network::kVaeDecoder:
      vae_decoder_.reset();
      break;
  }
}

void NetworkSet::load_resident(const LoadListener& listener) {
  for (const Network network : kNetworks) {
    if (is_resident(network)) load(network, listener);
  }
}

void NetworkSet::load(Network network, const LoadListener& listener) {
  if (!has(network) || is_loaded(network)) return;
  const std::uint64_t total = weight_bytes(network);
  std::uint64_t done = 0;
  if (total > 0) listener(network, done, total);
  build(network, {model_.source(network), device_, dtype_, [&](std::uint64_t bytes) {
                    done += bytes;
                    if (bytes > 0) listener(network, done, total);
                  }});
}

void NetworkSet::release(Network network) {
  if (!is_resident(network)) drop(network);
}

}  // namespace layerpipe::runtime
