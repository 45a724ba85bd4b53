// The stages of an explicit partition. Internal to runtime/config.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "partition/partition_config.h"
#include "runtime/config/fields.h"

namespace layerpipe::runtime {

inline constexpr std::string_view kStageKeys[] = {"rank", "transformer", "text_encoder", "vae"};

// Reads the list below `stages`. Throws InputError when a range is none, when ranges overlap or leave
// something out, when a rank has two stages, or when the shares of the VAE are not 100 % together.
std::vector<partition::ExplicitStage> read_stages(const std::string& file, const Field& stages);

// "{rank: 0, transformer: 0-19, text_encoder: none, vae: 33.5%}", as a file has it.
std::string stage_text(const partition::ExplicitStage& stage);

}  // namespace layerpipe::runtime
