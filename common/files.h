// Reading and writing whole files safely. Standard library and POSIX only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

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

}  // namespace layerpipe::common
