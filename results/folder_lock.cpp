#include "results/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "common/errors.h"
#include "common/files.h"
#include "common/host_name.h"

namespace layerpipe::results {
namespace {

constexpr std::size_t kLongestHolder = 300;

std::string this_process() {
  return fmt::format("process {} on {}\n", ::getpid(), common::host_name());
}

// What this_process() wrote there. The file may hold anything, and be empty for a moment.
std::string holder_in(int descriptor) {
  std::string text(kLongestHolder, '\0');
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  text.resize(std::min(text.find('\n'), text.size()));
  const auto is_plain = [](char letter) { return letter >= ' ' && letter <= '~'; };
  return std::all_of(text.begin(), text.end(), is_plain) ? text : std::string();
}

// Whether `path` still is the file that was opened: who held it before may have removed it meanwhile.
bool is_same_file(int descriptor, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

bool keeps_no_locks(int error_number) {
  return error_number == ENOLCK || error_number == ENOSYS || error_number == EOPNOTSUPP ||
         error_number == EINVAL;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : file_(folder / kFileName) {
  while (true) {
    // NFS locks what is open for writing only.
    descriptor_ = common::Descriptor(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (descriptor_.get() < 0) throw common::output_error(file_, errno);
    int result = 0;
    do {
      result = ::flock(descriptor_.get(), LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    const int error_number = errno;
    if (result != 0 && keeps_no_locks(error_number)) return;
    if (result != 0) {
      const std::string holder = holder_in(descriptor_.get());
      if (error_number != EWOULDBLOCK) throw common::output_error(file_, error_number);
      throw common::InputError(
          fmt::format("another run writes into {}{}", folder.string(), holder.empty() ? "" : ": " + holder),
          "Wait until it has ended, or choose another folder.");
    }
    if (is_same_file(descriptor_.get(), file_)) break;
    descriptor_.reset();
  }
  is_held_ = true;
  const std::string holder = this_process();
  // Only told to others: a full disk must not keep a run from saying that it is full in its own words.
  if (::ftruncate(descriptor_.get(), 0) == 0) [[maybe_unused]]
    const ssize_t told = ::pwrite(descriptor_.get(), holder.data(), holder.size(), 0);
}

FolderLock::~FolderLock() {
  ::unlink(file_.c_str());  // before it is let go, so that nobody holds a file without a name
}

}  // namespace layerpipe::results
