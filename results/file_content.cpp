#include "results/file_content.h"

#include <xxhash.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "common/errors.h"

namespace layerpipe::results {
namespace {

constexpr std::string_view kEndOfObject = "\n}\n";
constexpr std::size_t kDigits = 32;

bool is_same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// Whoever writes to a file changes the second of its times, which nobody can set.
bool is_same_state(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_size == b.st_size &&
         is_same_time(a.st_mtim, b.st_mtim) && is_same_time(a.st_ctim, b.st_ctim);
}

std::string digits(const XXH128_hash_t& hash) {
  char text[kDigits + 1];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

std::string seal_of(std::string_view body) {
  return std::string(",\n  \"") + kSealKey + "\": \"" + digits(XXH3_128bits(body.data(), body.size())) +
         "\"" + std::string(kEndOfObject);
}

}  // namespace

std::optional<FileContent> content_of(const std::filesystem::path& file, const std::function<void()>& moved) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(file, error))) return std::nullopt;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_128bits_reset(state.get());
  constexpr std::size_t kPieceBytes = 1 << 20;
  std::vector<char> piece(kPieceBytes);
  FileContent content;
  while (stream) {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto count = static_cast<std::size_t>(stream.gcount());
    XXH3_128bits_update(state.get(), piece.data(), count);
    content.bytes += count;
    moved();
  }
  if (stream.bad()) return std::nullopt;
  content.hash = digits(XXH3_128bits_digest(state.get()));
  return content;
}

std::optional<FileContent> KnownContents::of(const std::filesystem::path& file) {
  struct stat before {};
  if (::lstat(file.c_str(), &before) != 0) return std::nullopt;
  const auto known = known_.find(file);
  if (known != known_.end() && is_same_state(known->second.state, before)) return known->second.content;
  timespec begin{};
  ::clock_gettime(CLOCK_REALTIME, &begin);
  const auto content = content_of(file, [&] {
    constexpr std::chrono::milliseconds kTellInterval{100};
    const auto now = std::chrono::steady_clock::now();
    if (now < told_at_ + kTellInterval) return;
    told_at_ = now;
    moved_();
  });
  struct stat after {};
  // Of what was written just now, a later change need not show in the times, which go in steps.
  constexpr time_t kCoarsestSteps = 2;  // seconds, of FAT
  const bool is_settled = before.st_ctim.tv_sec + kCoarsestSteps < begin.tv_sec;
  if (content && is_settled && ::lstat(file.c_str(), &after) == 0 && is_same_state(before, after))
    known_[file] = {before, *content};
  return content;
}

std::string sealed(const std::string& json) {
  common::ensure(json.size() > kEndOfObject.size() && json.ends_with(kEndOfObject),
                 "what is to be sealed is no JSON object of ours");
  const std::string body = json.substr(0, json.size() - kEndOfObject.size());
  return body + seal_of(body);
}

bool is_sealed(const std::string& text) {
  const std::size_t seal_size = seal_of({}).size();
  if (text.size() < seal_size) return false;
  const std::string_view body = std::string_view(text).substr(0, text.size() - seal_size);
  return text.substr(body.size()) == seal_of(body);
}

}  // namespace layerpipe::results
