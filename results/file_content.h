// What is in a file, as a size and a hash: how a run knows what it wrote.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace layerpipe::results {

struct FileContent {
  std::uint64_t bytes = 0;
  std::string hash;  // 32 hexadecimal digits: XXH3, 128 bits

  bool operator==(const FileContent&) const = default;
};

// Reads the whole file, a piece at a time. Nothing when there is no regular file of this name, also for a
// link to one, or when it cannot be read.
std::optional<FileContent> content_of(const std::filesystem::path& file);

// run.json with the hash of its own text in it, as its last key: a person's edit breaks the seal. `json` is
// an object as nlohmann's dump(2) gives it, with a line break behind.
std::string sealed(const std::string& json);

// Whether a text is as sealed() gave it.
bool is_sealed(const std::string& text);
inline constexpr const char* kSealKey = "record_hash";

}  // namespace layerpipe::results
