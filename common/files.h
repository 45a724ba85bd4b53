// Reading and writing whole files safely. Standard library and POSIX only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "common/errors.h"

namespace layerpipe::common {

// A file mapped read-only into memory for as long as the object lives. Pages are read when they are touched.
class MappedFile {
 public:
  // Throws InputError when the file is missing, is not a regular file or cannot be read.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// The whole content of a file of at most `limit_bytes`. Throws InputError when it is missing, unreadable or
// larger.
std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit_bytes = 256ULL << 20);

// Writes `content` beside `path` and renames it into place, so that `path` is either absent, old or complete,
// also when the machine stops. A new file gets what the umask grants. Any number of threads may write at
// once. Throws OutputError, after removing what it had written.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> content);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// A new empty file beside `path`, for a library that writes under a name of its own choice: what it writes to
// temporary() becomes `path` by commit(), and is removed with the object otherwise.
class FileBeside {
 public:
  // Throws OutputError when no file can be made there.
  explicit FileBeside(std::filesystem::path path);
  ~FileBeside();
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;

  const std::filesystem::path& temporary() const noexcept { return temporary_; }

  // As write_file_atomically ends: the content reaches the disk, then the file gets its name. The library
  // must have closed it. Throws OutputError.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty when there is nothing to remove
};

// Removes what writers that were killed have left in a folder: files that never got their names. Not while
// others write there.
void remove_parts(const std::filesystem::path& folder);

// What writing `path` throws when a system call left `error_number` in errno.
OutputError output_error(const std::filesystem::path& path, int error_number);

}  // namespace layerpipe::common
