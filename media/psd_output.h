// The bytes of a PSD file on their way to the disk. Only psd_writer.cpp and psd_resources.cpp include it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "common/files.h"

namespace layerpipe::media {

// Where Photoshop stops, and where readers that count in 31 bits do.
inline constexpr std::uint64_t kMaxPsdBytes = (std::uint64_t{1} << 31) - 1;

// Collects a file, most significant bytes first, of which earlier places may be changed while it grows: PSD
// has lengths in front of what they count. What has been put lies in a file beside the result
// (common::FileBeside), not in memory; finish() gives it its name, so that the result appears whole or not at
// all.
//
// Every function but the destructor throws OutputError when it cannot write, or when the file would grow
// beyond `most_bytes`. One thread.
class PsdOutput {
 public:
  explicit PsdOutput(std::filesystem::path path, std::uint64_t most_bytes = kMaxPsdBytes);

  std::uint64_t size() const noexcept { return size_; }  // so far

  void put(std::span<const std::uint8_t> bytes);
  void put_text(std::string_view ascii);  // without its length
  void put_u8(std::uint8_t value);
  void put_u16(std::uint16_t value);
  void put_u32(std::uint32_t value);
  void put_zeros(std::uint64_t count);
  // A PSD "Unicode string": the number of units in 32 bits, and the units.
  void put_unicode(std::u16string_view text);

  // Writes over what was put at `place`, which lies within the file with all of the values.
  void replace_u32(std::uint64_t place, std::uint32_t value);
  void replace_u16s(std::uint64_t place, std::span<const std::uint16_t> values);

  // Puts a length of 32 bits that end_section() fills in, and says where it stands.
  std::uint64_t begin_section();
  // Zeros up to a multiple of `alignment` bytes, which the length counts.
  void end_section(std::uint64_t place, std::uint64_t alignment = 1);

  // Writes the result. To be called once, and nothing after it.
  void finish();

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  void replace(std::uint64_t place, std::span<const std::uint8_t> bytes);

  std::filesystem::path path_;
  std::uint64_t most_bytes_;
  std::uint64_t size_ = 0;
  common::FileBeside beside_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace layerpipe::media
