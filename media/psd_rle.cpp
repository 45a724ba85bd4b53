#include "media/psd_rle.h"

#include <algorithm>
#include <cstddef>

namespace layerpipe::media {
namespace {

constexpr std::size_t kLongest = 128;  // of a run and of a stretch of literal bytes
// A run takes two bytes and, where it ends a stretch of literals, makes what follows begin another, which
// takes a third.
constexpr std::size_t kShortestRun = 3;

// How many bytes at the start of `bytes` are equal, at most kLongest.
std::size_t run_length(std::span<const std::uint8_t> bytes) {
  const std::size_t most = std::min(bytes.size(), kLongest);
  std::size_t length = 1;
  while (length < most && bytes[length] == bytes[0]) ++length;
  return length;
}

// How many bytes at the start of `bytes` stand before the next run worth its code, at most kLongest.
std::size_t literal_length(std::span<const std::uint8_t> bytes) {
  const std::size_t most = std::min(bytes.size(), kLongest);
  for (std::size_t i = 1; i < most; ++i) {
    if (run_length(bytes.subspan(i, std::min(bytes.size() - i, kShortestRun))) == kShortestRun) return i;
  }
  return most;
}

}  // namespace

void append_packed(std::span<const std::uint8_t> row, std::vector<std::uint8_t>& packed) {
  while (!row.empty()) {
    std::size_t length = run_length(row);
    if (length >= kShortestRun) {
      packed.push_back(static_cast<std::uint8_t>(257 - length));
      packed.push_back(row[0]);
    } else {
      length = literal_length(row);
      packed.push_back(static_cast<std::uint8_t>(length - 1));
      packed.insert(packed.end(), row.begin(), row.begin() + static_cast<std::ptrdiff_t>(length));
    }
    row = row.subspan(length);
  }
}

bool unpack_row(std::span<const std::byte> packed, std::span<std::uint8_t> row) {
  constexpr unsigned kNothing = 128;
  while (!row.empty()) {
    if (packed.empty()) return false;
    const auto code = std::to_integer<unsigned>(packed[0]);
    packed = packed.subspan(1);
    if (code == kNothing) continue;
    const bool is_run = code > kNothing;
    const std::size_t length = is_run ? 257 - code : code + 1;
    if (length > row.size() || packed.size() < (is_run ? 1 : length)) return false;
    for (std::size_t i = 0; i < length; ++i) row[i] = std::to_integer<std::uint8_t>(packed[is_run ? 0 : i]);
    packed = packed.subspan(is_run ? 1 : length);
    row = row.subspan(length);
  }
  return true;
}

}  // namespace layerpipe::media
