// Reading ZIP archives that may be damaged, or made to do harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct zip;

namespace layerpipe::media {

// An archive in memory, which belongs to the caller and must outlive the object. Nothing is written anywhere,
// and memory is bounded by what the caller asks for, whatever the archive says. One thread.
class ZipReader {
 public:
  // `name` is what messages call the archive. Throws InputError when it is none, or damaged.
  ZipReader(std::span<const std::byte> bytes, std::string name);

  // How many bytes the entry unpacks to, as the archive says; nothing when there is no such entry. Names are
  // compared byte by byte; of entries of one name the first counts.
  std::optional<std::uint64_t> size(const std::string& entry) const;

  // The first bytes of an entry, at most `limit_bytes`; unpacks no more than these. Throws InputError when
  // there is no such entry, or when it is damaged, encrypted or packed by a method other than stored and
  // deflated.
  std::vector<std::byte> read_start(const std::string& entry, std::size_t limit_bytes) const;

  // The whole entry. Throws InputError as read_start does; when the entry has more than `limit_bytes`; and
  // when it does not unpack to the size and the checksum that the archive says.
  std::vector<std::byte> read(const std::string& entry, std::size_t limit_bytes) const;

 private:
  struct Discard {
    void operator()(zip* archive) const noexcept;
  };
  struct Found {
    std::uint64_t index;
    std::uint64_t bytes;
    bool readable;  // by one of the two methods, and not encrypted
  };
  std::optional<Found> find(const std::string& entry) const;
  Found find_readable(const std::string& entry) const;

  std::string name_;
  std::unique_ptr<zip, Discard> archive_;
};

}  // namespace layerpipe::media
