// A component's weights written again, with chosen matrices in e4m3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "model/weights/fp8_source.h"
#include "model/weights/safetensors.h"

namespace layerpipe::model {

// What a shard takes at most, unless one tensor takes more.
inline constexpr std::uint64_t kUsualShardBytes = std::uint64_t{4} << 30;

struct Fp8Component {
  std::uint64_t bytes = 0;    // of all files
  std::size_t quantised = 0;  // matrices
};

// What write_fp8_component() will write, beside headers.
Fp8Component measure_fp8_component(const SafetensorsSource& source, const Fp8Source::Choice& is_chosen);

// Writes all tensors of `source`, by the names that a network knows, into `folder`, which is there: shards
// with an index as diffusers writes them, or one file. A chosen matrix "m.weight" is in F8_E4M3, its scales
// are "m.weight_scale" in F32 with one for each row: exactly those that Fp8Source gives. What is not chosen
// stays as it is. Holds one tensor at a time; `after_each` is called after each with the bytes that are
// written. Throws InputError for what cannot be read, OutputError, and what `after_each` throws.
void write_fp8_component(const std::shared_ptr<const SafetensorsSource>& source,
                         const Fp8Source::Choice& is_chosen, const std::filesystem::path& folder,
                         const std::string& stem, const std::function<void(std::uint64_t bytes)>& after_each,
                         std::uint64_t most_shard_bytes = kUsualShardBytes);

}  // namespace layerpipe::model
