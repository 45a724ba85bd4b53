// Reading files that others may write to meanwhile. What the CPU reads is copied, never mapped: a mapped file
// ends the process with SIGBUS when it becomes shorter or its disk fails, and some mounts map none. Standard
// library and POSIX only.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/descriptor.h"

namespace layerpipe::common {

// A file that is open for reading, at any place of it. Several threads may use it at once.
class InputFile {
 public:
  // Throws InputError when the file is missing, is not a regular file or may not be read.
  explicit InputFile(std::filesystem::path path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  // In bytes, when it was opened.
  std::uint64_t size() const noexcept { return static_cast<std::uint64_t>(opened_.st_size); }

  // Fills `to` with the bytes from `offset` on. `part` is what messages call them, such as `tensor "a"`;
  // empty for the file as a whole. Throws InputError that names both when the file ends before, or cannot be
  // read.
  void read(std::uint64_t offset, std::span<std::byte> to, std::string_view part = {}) const;
  // The same; `part` is asked for when there is a message.
  void read(std::uint64_t offset, std::span<std::byte> to, const std::function<std::string()>& part) const;
  // Fills `to`, which has size() bytes, with all of it. Also throws InputError when it changes meanwhile.
  void read_all(std::span<std::byte> to) const;

  // Asks the system to bring bytes [offset, offset + size) from the disk; returns before they are there.
  void read_ahead(std::uint64_t offset, std::uint64_t size) const noexcept;

  // For what maps it; open as long as this object.
  int descriptor() const noexcept { return descriptor_.get(); }
  // What tells this file from any other of the machine while it is open here.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    auto operator<=>(const Identity&) const = default;
  };
  Identity identity() const noexcept { return {opened_.st_dev, opened_.st_ino}; }

  // Whether its size, or the time when it was last written to, is another one than when it was opened. What
  // was read before this says no is of one state of the file.
  bool was_written_to() const;
  // Throws InputError when was_written_to().
  void check_not_written_to() const;
  // Whether another file has its path by now, as a program that saves a file anew puts one there. What is
  // read here is still of the first.
  bool was_replaced() const;

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
  struct stat opened_ {};
};

// The whole content of a file, in memory.
class FileContent {
 public:
  // Throws InputError as InputFile does, and when the file changes meanwhile.
  explicit FileContent(const std::filesystem::path& path) : FileContent(InputFile(path)) {}
  explicit FileContent(const InputFile& file);
  FileContent(const FileContent&) = delete;
  FileContent& operator=(const FileContent&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {data_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> data_;
};

}  // namespace layerpipe::common
