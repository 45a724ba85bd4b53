// A model folder written again, with the transformer in 8 bits: what `layerpipe quantize` does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "model/weights/weight_files.h"

namespace layerpipe::session {

struct Fp8FolderOptions {
  std::filesystem::path model;
  std::string variant;  // of the weight files; empty: plain ones, or the only ones
  model::ComponentFiles files;
  std::filesystem::path out;  // not there yet, or an empty folder; folders above it are made
};

struct Fp8Folder {
  std::uint64_t bytes = 0;
  std::size_t matrices = 0;  // of the transformer, in e4m3
};

// Writes `out`, which loads as any model folder: the matrices of model/transformer/fp8_layers.h in e4m3, as
// --dtype fp8 makes them of the same weights; all else copied. It has its name once it is whole, and what is
// not finished is removed. `after_each` is called after each tensor and each file with the bytes that are
// written, and all that will be.
//
// Throws InputError for a model that cannot be read, is quantised already or has no such matrix, for an `out`
// that is there and for a disk without room; OutputError; and what `after_each` throws.
Fp8Folder write_fp8_folder(const Fp8FolderOptions& options,
                           const std::function<void(std::uint64_t done, std::uint64_t total)>& after_each);

}  // namespace layerpipe::session
