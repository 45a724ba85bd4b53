// A component's weights written as files, with chosen matrices in e4m3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "model/weights/fp8_source.h"
#include "model/weights/safetensors.h"
#include "model/weights/safetensors_writer.h"

namespace layerpipe::model {

// What a shard takes at most, unless one tensor takes more.
inline constexpr std::uint64_t kUsualShardBytes = std::uint64_t{4} << 30;

// What is to be written, by the names that a network knows.
struct ComponentToWrite {
  std::shared_ptr<const TensorSource> source;
  std::map<std::string, TensorToWrite> tensors;  // of the source, as it stores them
  Fp8Source::Choice is_chosen;                   // the matrices that become e4m3
};

// All that files hold.
ComponentToWrite component_of(const std::shared_ptr<const SafetensorsSource>& source,
                              const Fp8Source::Choice& is_chosen);

struct ComponentSize {
  std::uint64_t bytes = 0;    // of all files, beside headers
  std::size_t quantised = 0;  // matrices
};
ComponentSize measure_component(const ComponentToWrite& component);

// Writes it into `folder`, which is there: shards with an index as diffusers writes them, or one file. The
// index comes last. A chosen matrix "m.weight" is in F8_E4M3, its scales are "m.weight_scale" in F32 with one
// for each row: exactly those that Fp8Source gives. What is not chosen stays as it is. Holds one tensor at a
// time; `after_each` is called after each with the bytes that are written. Throws InputError for what cannot
// be read, OutputError, and what `after_each` throws.
void write_component(const ComponentToWrite& component, const std::filesystem::path& folder,
                     const std::string& stem, const std::function<void(std::uint64_t bytes)>& after_each,
                     std::uint64_t most_shard_bytes = kUsualShardBytes);

}  // namespace layerpipe::model
