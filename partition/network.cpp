#include "partition/network.h"

namespace layerpipe::partition {

const char* to_string(Network network) {
  switch (network) {
    case Network::kTextEncoder:
      return "text encoder";
    case Network::kVaeEncoder:
      return "VAE encoder";
    case Network::kTransformer:
      return "transformer";
    case Network::kVaeDecoder:
      return "VAE decoder";
  }
  return "?";
}

Phase phase_of(Network network) {
  switch (network) {
    case Network::kTextEncoder:
    case Network::kVaeEncoder:
      return Phase::kEncode;
    case Network::kTransformer:
      return Phase::kDenoise;
    case Network::kVaeDecoder:
      return Phase::kDecode;
  }
  return Phase::kEncode;
}

Component component_of(Network network) {
  switch (network) {
    case Network::kTextEncoder:
      return Component::kTextEncoder;
    case Network::kTransformer:
      return Component::kTransformer;
    case Network::kVaeEncoder:
    case Network::kVaeDecoder:
      return Component::kVae;
  }
  return Component::kVae;
}

const char* folder_of(Network network) {
  return to_string(component_of(network));
}

}  // namespace layerpipe::partition
