#include "common/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <utility>
#include <vector>

#include "common/descriptor.h"
#include "common/errors.h"
#include "common/input_file.h"
#include "common/part_folder.h"

namespace layerpipe::common {
namespace {

// Removes a partly written file unless told that it was renamed into place.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::filesystem::path& path() const noexcept { return path_; }
  void keep() noexcept { path_.clear(); }

 private:
  std::filesystem::path path_;
};

struct OpenTemporary {
  Descriptor descriptor;
  TemporaryFile file;
};

constexpr std::string_view kPartPrefix = ".layerpipe-";
constexpr std::size_t kPartDigits = 16;

// Takes a name that is free in `folder`, short whatever the name that it will get: `take` makes it and
// returns a value from 0, or less with errno. Throws OutputError naming `path`.
template <typename Take>
int take_part_name(const std::filesystem::path& folder, const std::filesystem::path& path, Take&& take) {
  constexpr int kAttempts = 100;
  std::random_device random;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    char digits[kPartDigits + 1];
    std::snprintf(digits, sizeof digits, "%08x%08x", random(), random());
    const int result = take(folder / (std::string(kPartPrefix) + digits));
    if (result >= 0) return result;
    if (errno != EEXIST) throw output_error(path, errno);
  }
  throw output_error(path, EEXIST);
}

bool is_part_name(std::string_view name) {
  if (!name.starts_with(kPartPrefix) || name.size() != kPartPrefix.size() + kPartDigits) return false;
  return name.find_first_not_of("0123456789abcdef", kPartPrefix.size()) == std::string_view::npos;
}

// A new file in the folder of `path`, open for writing.
OpenTemporary make_temporary_beside(const std::filesystem::path& path) {
  std::filesystem::path beside;
  Descriptor descriptor(take_part_name(path.parent_path(), path, [&](const std::filesystem::path& name) {
    beside = name;
    return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }));
  return {std::move(descriptor), TemporaryFile(beside)};
}

void write_all(const Descriptor& descriptor, std::span<const std::byte> content,
               const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(descriptor.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw output_error(path, errno);
    content = content.subspan(static_cast<std::size_t>(count));
  }
}

// Its content reaches the disk, then it gets its name.
void give_name(OpenTemporary& made, const std::filesystem::path& path) {
  // Without this, a machine that stops may remember the new name and not the content.
  if (::fsync(made.descriptor.get()) != 0) throw output_error(path, errno);
  // close() is where a network file system reports a full disk.
  if (::close(made.descriptor.release()) != 0) throw output_error(path, errno);
  if (::rename(made.file.path().c_str(), path.c_str()) != 0) throw output_error(path, errno);
  made.file.keep();
}

}  // namespace

std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  const InputFile file(path);
  if (file.size() > limit_bytes) {
    throw InputError(path.string() + " has " + std::to_string(file.size()) + " bytes; at most " +
                         std::to_string(limit_bytes) + " are accepted",
                     "Check that this is the right file.");
  }
  std::string content(file.size(), '\0');
  file.read_all(std::as_writable_bytes(std::span(content)));
  return content;
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> content) {
  OpenTemporary made = make_temporary_beside(path);
  write_all(made.descriptor, content, path);
  give_name(made, path);
}

void copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::function<void(std::uint64_t done)>& after_piece) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  constexpr std::uint64_t kBetweenCalls = 64 * kPiece;
  const InputFile file(from);
  OpenTemporary made = make_temporary_beside(to);
  std::vector<std::byte> piece(std::min(kPiece, file.size()));
  for (std::uint64_t done = 0; done < file.size();) {
    const std::span part(piece.data(), std::min(kPiece, file.size() - done));
    file.read(done, part);
    write_all(made.descriptor, part, to);
    done += part.size();
    if (done % kBetweenCalls == 0 && done < file.size()) after_piece(done);
  }
  file.check_not_written_to();
  give_name(made, to);
  after_piece(file.size());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  write_file_atomically(path, std::as_bytes(std::span(content)));
}

FileBeside::FileBeside(std::filesystem::path path) : path_(std::move(path)) {
  OpenTemporary made = make_temporary_beside(path_);
  temporary_ = made.file.path();
  made.file.keep();
}

FileBeside::~FileBeside() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileBeside::commit() {
  Descriptor descriptor(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) throw output_error(path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw output_error(path_, errno);
  temporary_.clear();
}

OutputError output_error(const std::filesystem::path& path, int error_number) {
  return OutputError("cannot write " + path.string() + ": " + system_error_text(error_number),
                     error_number == ENOSPC ? "Free some space on that disk, or write to another one."
                                            : "Check that the folder exists and may be written.");
}

std::filesystem::path make_part_folder(const std::filesystem::path& folder) {
  std::filesystem::path made;
  take_part_name(folder, folder, [&](const std::filesystem::path& name) {
    made = name;
    return ::mkdir(name.c_str(), 0777);
  });
  return made;
}

std::vector<std::filesystem::path> parts_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> parts;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_part_name(entry->path().filename().string())) parts.push_back(entry->path());
  }
  return parts;
}

void remove_parts(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& part : parts_in(folder)) std::filesystem::remove_all(part, error);
}

}  // namespace layerpipe::common
