// The networks of a model, as the phases load them. Standard library only.
#pragma once

#include "partition/partition_config.h"
#include "partition/phase.h"

namespace layerpipe::partition {

// The networks are in the order of loading.
enum class Network { kTextEncoder, kVaeEncoder, kTransformer, kVaeDecoder };
inline constexpr Network kNetworks[] = {Network::kTextEncoder, Network::kVaeEncoder, Network::kTransformer,
                                        Network::kVaeDecoder};
const char* to_string(Network network);  // "text encoder"

// The phase that a network works in.
Phase phase_of(Network network);

// The component that a network belongs to: the VAE has two.
Component component_of(Network network);

// The folder of the model that holds a network's config and weights: "text_encoder".
const char* folder_of(Network network);

}  // namespace layerpipe::partition
