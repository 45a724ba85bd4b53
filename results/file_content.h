// What is in a file, as a size and a hash: how a run knows what it wrote.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace layerpipe::results {

struct FileContent {
  std::uint64_t bytes = 0;
  std::string hash;  // 32 hexadecimal digits: XXH3, 128 bits

  bool operator==(const FileContent&) const = default;
};

// Reads the whole file, a piece at a time, and calls `moved` with each. Nothing when there is no regular file
// of this name, also for a link to one, or when it cannot be read.
std::optional<FileContent> content_of(
    const std::filesystem::path& file, const std::function<void()>& moved = [] {});

// What is in files, for somebody who asks again and again: a file is read once, until somebody has written to
// it or put another one in its place. Used by one thread.
class KnownContents {
 public:
  // `moved` is called while a file is read, at most ten times a second: others may wait for this thread.
  explicit KnownContents(std::function<void()> moved = [] {}) : moved_(std::move(moved)) {}

  // As content_of() gives it.
  std::optional<FileContent> of(const std::filesystem::path& file);

 private:
  struct Known {
    struct stat state {};
    FileContent content;
  };

  std::function<void()> moved_;
  std::chrono::steady_clock::time_point told_at_{};
  std::map<std::filesystem::path, Known> known_;
};

// run.json with the hash of its own text in it, as its last key: a person's edit breaks the seal. `json` is
// an object as nlohmann's dump(2) gives it, with a line break behind.
std::string sealed(const std::string& json);

// Whether a text is as sealed() gave it.
bool is_sealed(const std::string& text);
inline constexpr const char* kSealKey = "record_hash";

}  // namespace layerpipe::results
