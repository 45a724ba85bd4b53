// A short name for exactly one model folder.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "model/weights/weight_files.h"

namespace layerpipe::model {

// 32 hexadecimal digits (XXH3, 128 bits) over the names and contents of model_index.json and of its
// components' JSON and text files (configs, tokenizer, indices) and the names, sizes and headers of its
// weight files. The weights themselves are not read: two models with equal headers and different values have
// one fingerprint. A guard against mix-ups, not against malice. Throws InputError for a file that cannot be
// read.
//
// `files` are those that hold a component in place of the weights in its folder, by component: their sizes
// and headers count, and not their names, nor the files that they stand for.
std::string fingerprint(const std::filesystem::path& folder, const ComponentFiles& files = {});

// 32 hexadecimal digits (XXH3, 128 bits) of exactly these bytes.
std::string hash_of(std::span<const std::byte> bytes);

}  // namespace layerpipe::model
