#include "common/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "common/errors.h"

namespace layerpipe::common {
namespace {

constexpr const char* kCheckFile = "Check that the file exists and may be read.";
constexpr const char* kCheckDisk = "Check the disk or the mount that the file lies on.";
constexpr const char* kAloneWithIt = "Try again when nothing else writes to it.";

bool is_state_of(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

InputError unreadable(const std::filesystem::path& path, std::string_view part, int error_number) {
  const std::string what = part.empty() ? path.string() : std::string(part) + " of " + path.string();
  return InputError("cannot read " + what + ": " + system_error_text(error_number), kCheckDisk);
}

InputError ended_early(const std::filesystem::path& path, std::string_view part) {
  if (part.empty()) return InputError(path.string() + " became shorter while it was read", kAloneWithIt);
  return InputError(path.string() + " has become shorter: it does not hold all of " + std::string(part),
                    kAloneWithIt);
}

}  // namespace

InputFile::InputFile(std::filesystem::path path)
    // Opening a pipe would wait for its other end; it is refused as no regular file.
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_.get() < 0)
    throw InputError("cannot open " + path_.string() + ": " + system_error_text(errno), kCheckFile);
  const int error_number = ::fstat(descriptor_.get(), &opened_) == 0 ? 0 : errno;
  if (error_number == 0 && S_ISREG(opened_.st_mode)) return;
  if (error_number != 0) throw unreadable(path_, {}, error_number);
  throw InputError(path_.string() + " is not a regular file", "Give the path of a file.");
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> to, std::string_view part) const {
  read(offset, to, [&] { return std::string(part); });
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> to,
                     const std::function<std::string()>& part) const {
  while (!to.empty()) {
    const ssize_t count = ::pread(descriptor_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw unreadable(path_, part(), errno);
    if (count == 0) throw ended_early(path_, part());
    to = to.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void InputFile::read_all(std::span<std::byte> to) const {
  read(0, to);
  check_not_written_to();
}

void InputFile::check_not_written_to() const {
  if (was_written_to()) throw InputError(path_.string() + " changed while it was read", kAloneWithIt);
}

void InputFile::read_ahead(std::uint64_t offset, std::uint64_t size) const noexcept {
  // It is advice: whoever reads the bytes hears of what is wrong with them.
  ::posix_fadvise(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                  POSIX_FADV_WILLNEED);
}

bool InputFile::was_written_to() const {
  struct stat now {};
  return ::fstat(descriptor_.get(), &now) != 0 || !is_state_of(now, opened_);
}

bool InputFile::was_replaced() const {
  struct stat now {};
  // Some mounts give a file another number now and then; a file that was put in its place has other times.
  return ::stat(path_.c_str(), &now) == 0 && !is_same_file(now, opened_) && !is_state_of(now, opened_);
}

FileContent::FileContent(const InputFile& file)
    : size_(file.size()), data_(std::make_unique_for_overwrite<std::byte[]>(size_)) {
  file.read_all({data_.get(), size_});
}

}  // namespace layerpipe::common
