// Reading and writing whole files safely. Standard library and POSIX only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "common/errors.h"

namespace layerpipe::common {

// The whole content of a file of at most `limit_bytes`. Throws InputError when it is missing, unreadable or
// larger, and when it changes meanwhile; common/input_file.h reads other files.
std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit_bytes = 256ULL << 20);

// Writes `content` beside `path` and renames it into place, so that `path` is either absent, old or complete,
// also when the machine stops. A new file gets what the umask grants. Any number of threads may write at
// once. Throws OutputError, after removing what it had written.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> content);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// Copies a file piece by piece, written as write_file_atomically() does. `after_piece` is called with the
// bytes that are copied, about every 64 MiB and at the end; what it throws ends the copy, of which nothing
// stays. Throws InputError for `from`, also when it changes meanwhile, and OutputError for `to`.
void copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::function<void(std::uint64_t done)>& after_piece);

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
