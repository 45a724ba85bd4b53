// A part of a file in the address space, for a device that reads it. POSIX and standard library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/input_file.h"

namespace layerpipe::common {

// Mapped shared and read-only, so that its memory is the page cache itself, which all processes share. Who
// reads it here, on the CPU, is ended by SIGBUS when the file has become shorter or its disk fails: hand it
// to a device, which pins the pages first, or read the file (InputFile::read).
class MappedPages {
 public:
  // Bytes [begin, begin + size) of a file, within it; begin is a multiple of the page size. Nothing where the
  // file's mount maps none, or no address is left.
  static std::optional<MappedPages> map(const InputFile& file, std::uint64_t begin, std::uint64_t size);

  MappedPages(MappedPages&& other) noexcept;
  MappedPages& operator=(MappedPages&& other) noexcept;
  ~MappedPages();

  // Reads from the disk what of it is not in memory. Nothing happens where the system cannot (before Linux
  // 5.14), or the disk fails.
  void bring() const noexcept;

  void* data() const noexcept { return data_; }
  std::uint64_t size() const noexcept { return size_; }

 private:
  MappedPages(void* data, std::uint64_t size) : data_(data), size_(size) {}

  void* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace layerpipe::common
