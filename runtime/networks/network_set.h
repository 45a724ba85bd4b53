// The networks of one rank: its parts of them, loaded when a phase needs them and let go when it is over, or
// kept, as the plan says.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "model/text_encoder/text_encoder.h"
#include "model/transformer/transformer.h"
#include "model/vae/vae.h"
#include "partition/plan.h"
#include "runtime/networks/model_folder.h"

namespace layerpipe::runtime {

class NetworkSet {
 public:
  // Told in bytes how far a network's loading is; first with 0.
  using LoadListener =
      std::function<void(partition::Network network, std::uint64_t done, std::uint64_t total)>;

  // Checks that the files hold every tensor of this rank's parts; loads nothing yet. `model` outlives the
  // set. Throws InputError.
  NetworkSet(const ModelFolder& model, const partition::StagePlan& part,
             const partition::PerComponent<partition::Residency>& residency, at::Device device,
             at::ScalarType dtype);

  // Whether this rank has a part of the network.
  bool has(partition::Network network) const;
  // Memory that its part takes on the device, in bytes. None for what is used where it is mapped.
  std::uint64_t weight_bytes(partition::Network network) const { return weight_bytes_.at(network); }

  // Loads all networks whose component is resident.
  void load_resident(const LoadListener& listener);
  // Loads a network unless it is there.
  void load(partition::Network network, const LoadListener& listener);
  // Lets a network go unless it is resident.
  void release(partition::Network network);

  // Loaded networks.
  const model::TextEncoder& text_encoder() const { return text_encoder_.value(); }
  const model::VaeEncoder& vae_encoder() const { return vae_encoder_.value(); }
  const model::Transformer& transformer() const { return transformer_.value(); }
  const model::VaeDecoder& vae_decoder() const { return vae_decoder_.value(); }

 private:
  bool is_loaded(partition::Network network) const;
  void build(partition::Network network, const model::WeightStore& store);
  void drop(partition::Network network);
  bool is_resident(partition::Network network) const;

  const ModelFolder& model_;
  partition::StagePlan part_;
  partition::PerComponent<partition::Residency> residency_;
  at::Device device_;
  at::ScalarType dtype_;
  std::map<partition::Network, std::uint64_t> weight_bytes_;
  std::optional<model::TextEncoder> text_encoder_;
  std::optional<model::VaeEncoder> vae_encoder_;
  std::optional<model::Transformer> transformer_;
  std::optional<model::VaeDecoder> vae_decoder_;
};

}  // namespace layerpipe::runtime
