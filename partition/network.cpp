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

const char* component_of(Network network) {
  switch (network) {
    case Network::kTextEncoder:
      return "text_encoder";
    case Network::kTransformer:
      return "transformer";
    case Network::kVaeEncoder:
    case Network::kVaeDecoder:
      return "vae";
  }
  return "?";
}

}  // namespace layerpipe::partition
