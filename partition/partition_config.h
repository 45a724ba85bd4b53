// What the user may decide about the partition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/range.h"

namespace layerpipe::partition {

enum class Component { kTransformer, kTextEncoder, kVae };
inline constexpr Component kComponents[] = {Component::kTransformer, Component::kTextEncoder,
                                            Component::kVae};
const char* to_string(Component component);  // "text_encoder"

// One value for each component.
template <typename T>
struct PerComponent {
  T transformer{};
  T text_encoder{};
  T vae{};

  T& operator[](Component component) {
    return component == Component::kTransformer   ? transformer
           : component == Component::kTextEncoder ? text_encoder
                                                  : vae;
  }
  const T& operator[](Component component) const { return const_cast<PerComponent&>(*this)[component]; }
  bool operator==(const PerComponent&) const = default;
};

// balanced: in proportion to free memory. fastest: the shortest slowest stage, within memory. explicit: as
// written.
enum class Strategy { kBalanced, kFastest, kExplicit };
const char* to_string(Strategy strategy);

// resident: weights stay on the device. phased: they are there in the phases that use them. streamed: in
// these phases, as many units stay as there is memory for, and the others pass through it, time and again;
// not for the VAE, whose layers are small.
enum class Residency { kResident, kPhased, kStreamed };
const char* to_string(Residency residency);

// The same for all components, but that the VAE is phased where the others stream.
PerComponent<std::optional<Residency>> for_all(std::optional<Residency> residency);

// Where a file has the parts of a stage, for messages: "FILE:LINE:COLUMN"; empty where it is from no file.
struct StagePlaces {
  std::string rank{};
  std::string blocks{};
  std::string text_layers{};  // of the stage itself where the file has none
  std::string vae{};          // the same
};

// A stage of an explicit partition.
struct ExplicitStage {
  int rank = 0;
  common::Range blocks;
  common::Range text_layers;  // may be empty
  double vae_percent = 0;
  StagePlaces places{};
};

struct PartitionConfig {
  Strategy strategy = Strategy::kBalanced;
  int groups = 1;  // of as many stages each, with a whole transformer each; they split the guidance branches
  PerComponent<std::optional<Residency>> residency;        // none: the fastest that fits
  std::uint64_t reserve_bytes = std::uint64_t{512} << 20;  // kept free on every device beyond the prediction
  std::optional<std::uint64_t> memory_limit_bytes;         // on every device: use no more than this
  // Requests, or as many as there are if that is less; none: as many as saturate the stages.
  std::optional<std::int64_t> in_flight;
  std::vector<ExplicitStage> stages;  // of `explicit`, in the order of the pipeline, group after group
};

}  // namespace layerpipe::partition
