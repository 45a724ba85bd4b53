// What a component's config.json says of the form of its weights. A config is read whatever it says: a file
// may stand for the weights that it tells of.
#pragma once

#include <filesystem>

namespace layerpipe::model {

// Throws InputError naming the form where the weights are quantised in one that is not read, and where the
// file is no JSON object.
void refuse_quantised(const std::filesystem::path& config);

// Whether the weights are e4m3 with scales. Throws InputError where the file is no JSON object.
bool says_scaled_fp8(const std::filesystem::path& config);

}  // namespace layerpipe::model
