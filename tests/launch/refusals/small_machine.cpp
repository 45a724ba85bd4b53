// Disks that are full, may not be written or fail, files that others write to, and scarce memory, for a
// program that is started with this library in LD_PRELOAD. In its environment:
//
// LAYERPIPE_TEST_FREE_BYTES=N: what statvfs() says is free, on every disk.
//
// LAYERPIPE_TEST_OTHER_DISK=PATH: this folder lies on a disk of its own; only there are the bytes above free.
//
// LAYERPIPE_TEST_WRITABLE_BYTES=N: how much write() and pwrite() take, all files together, before it says
// ENOSPC; the last bytes that fit are written, as on a real disk.
//
// LAYERPIPE_TEST_FORBIDDEN=PATH: what access() says may not be written.
//
// LAYERPIPE_TEST_NO_LOCKS=1: flock() finds a file system without locks.
//
// LAYERPIPE_TEST_READ_FILE=PATH: once something behind the beginning of this file is read, it has become
// shorter (LAYERPIPE_TEST_DEED=cut), somebody writes to it (touch), or its disk fails (fail). Or it becomes
// so indeed: it is cut in half (truncate), its last bytes are turned round (rewrite), the file beside it
// whose name has ".other" behind takes its place (replace), or it is removed (remove).
//
// LAYERPIPE_TEST_READS_BEFORE=N: only behind so many reads of this process.
//
// LAYERPIPE_TEST_NOT_MAPPED=PATH: a mount without shared maps: mmap() refuses what lies below this folder.
//
// LAYERPIPE_TEST_LARGEST_TENSOR=N: the most bytes that posix_memalign() gives, from which LibTorch takes the
// memory of tensors.
//
// LAYERPIPE_TEST_TENSORS_BEFORE=N: only behind so many larger ones of this process.
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

long long number_in(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? -1 : std::atoll(text);
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool is_named_by(const char* name, const char* path) {
  const char* value = std::getenv(name);
  return value != nullptr && std::strcmp(path, value) == 0;
}

// Whether an open file is the one that a variable names, or lies below it.
bool is_below(const char* name, int descriptor) {
  const char* value = std::getenv(name);
  if (value == nullptr || descriptor < 0) return false;
  char link[64];
  char path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, path, sizeof path);
  const auto count = std::strlen(value);
  return length >= static_cast<ssize_t>(count) && std::strncmp(path, value, count) == 0;
}

constexpr const char* kOtherDisk = "LAYERPIPE_TEST_OTHER_DISK";

std::atomic<long long> written{0};
std::atomic<long long> reads{0};
std::atomic<long long> large_tensors{0};

// Turns the last bytes of a file round where they lie, so that its size stays.
void rewrite(const char* path) {
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  struct stat status {};
  char bytes[16];
  if (file < 0 || ::fstat(file, &status) != 0 || status.st_size < static_cast<off_t>(sizeof bytes))
    std::abort();
  const off_t at = status.st_size - static_cast<off_t>(sizeof bytes);
  if (::lseek(file, at, SEEK_SET) < 0 || ::read(file, bytes, sizeof bytes) != sizeof bytes) std::abort();
  std::reverse(std::begin(bytes), std::end(bytes));
  if (::pwrite(file, bytes, sizeof bytes, at) != sizeof bytes) std::abort();
  ::close(file);
}

void replace(const char* path) {
  char other[PATH_MAX];
  std::snprintf(other, sizeof other, "%s.other", path);
  if (::rename(other, path) != 0) std::abort();
}

void cut_in_half(const char* path) {
  struct stat status {};
  if (::lstat(path, &status) != 0 || ::truncate(path, status.st_size / 2) != 0) std::abort();
}

// What LAYERPIPE_TEST_DEED says becomes of the file that is read, where it becomes so indeed; once.
void change_file() {
  static std::atomic<bool> is_done{false};
  if (is_done.exchange(true)) return;
  const char* const path = std::getenv("LAYERPIPE_TEST_READ_FILE");
  if (is_named_by("LAYERPIPE_TEST_DEED", "truncate")) cut_in_half(path);
  if (is_named_by("LAYERPIPE_TEST_DEED", "rewrite")) rewrite(path);
  if (is_named_by("LAYERPIPE_TEST_DEED", "replace")) replace(path);
  if (is_named_by("LAYERPIPE_TEST_DEED", "remove")) ::unlink(path);
}

// Calls `real` with as many of `count` bytes as a small disk has room for.
template <typename Real>
ssize_t write_what_fits(int descriptor, size_t count, const Real& real) {
  const long long writable = number_in("LAYERPIPE_TEST_WRITABLE_BYTES");
  if (writable < 0 || descriptor <= STDERR_FILENO) return real(count);
  const long long room = writable - written.load();
  if (room <= 0 && count > 0) {
    errno = ENOSPC;
    return -1;
  }
  const ssize_t done = real(std::min(count, static_cast<size_t>(room)));
  if (done > 0) written.fetch_add(done);
  return done;
}

}  // namespace

extern "C" {

int statvfs(const char* path, struct statvfs* status) {
  const int result = next<int (*)(const char*, struct statvfs*)>("statvfs")(path, status);
  const long long free_bytes = number_in("LAYERPIPE_TEST_FREE_BYTES");
  const bool counts = std::getenv(kOtherDisk) == nullptr || is_named_by(kOtherDisk, path);
  if (result == 0 && free_bytes >= 0 && counts) {
    status->f_frsize = 1;
    status->f_bavail = static_cast<fsblkcnt_t>(free_bytes);
  }
  return result;
}

int stat(const char* path, struct stat* status) {
  const int result = next<int (*)(const char*, struct stat*)>("stat")(path, status);
  if (result == 0 && is_named_by(kOtherDisk, path)) status->st_dev = ~status->st_dev;
  return result;
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  const auto real_write = next<ssize_t (*)(int, const void*, size_t)>("write");
  return write_what_fits(descriptor, count,
                         [&](size_t fitting) { return real_write(descriptor, bytes, fitting); });
}

ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  const auto real_pwrite = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return write_what_fits(descriptor, count,
                         [&](size_t fitting) { return real_pwrite(descriptor, bytes, fitting, offset); });
}

// Its name in programs that are compiled for large files.
ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off_t offset) {
  return pwrite(descriptor, bytes, count, offset);
}

ssize_t pread(int descriptor, void* to, size_t count, off_t offset) {
  const bool is_watched = offset > 0 && is_below("LAYERPIPE_TEST_READ_FILE", descriptor);
  if (is_watched && reads.fetch_add(1) >= number_in("LAYERPIPE_TEST_READS_BEFORE")) {
    if (is_named_by("LAYERPIPE_TEST_DEED", "cut")) return 0;
    if (is_named_by("LAYERPIPE_TEST_DEED", "fail")) {
      errno = EIO;
      return -1;
    }
    if (is_named_by("LAYERPIPE_TEST_DEED", "touch"))
      ::utimensat(AT_FDCWD, std::getenv("LAYERPIPE_TEST_READ_FILE"), nullptr, 0);
    change_file();
  }
  return next<ssize_t (*)(int, void*, size_t, off_t)>("pread")(descriptor, to, count, offset);
}

// Its name in programs that are compiled for large files.
ssize_t pread64(int descriptor, void* to, size_t count, off_t offset) {
  return pread(descriptor, to, count, offset);
}

void* mmap(void* address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  const bool is_shared = (flags & MAP_SHARED) != 0 && (flags & MAP_PRIVATE) == 0;
  if (is_shared && is_below("LAYERPIPE_TEST_NOT_MAPPED", descriptor)) {
    errno = ENODEV;
    return MAP_FAILED;
  }
  return next<void* (*)(void*, size_t, int, int, int, off_t)>("mmap")(address, length, protection, flags,
                                                                      descriptor, offset);
}

void* mmap64(void* address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  return mmap(address, length, protection, flags, descriptor, offset);
}

int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  const long long largest = number_in("LAYERPIPE_TEST_LARGEST_TENSOR");
  const bool is_large = largest >= 0 && bytes > static_cast<size_t>(largest);
  if (is_large && large_tensors.fetch_add(1) >= number_in("LAYERPIPE_TEST_TENSORS_BEFORE")) return ENOMEM;
  return next<int (*)(void**, size_t, size_t)>("posix_memalign")(memory, alignment, bytes);
}

int flock(int descriptor, int operation) {
  if (number_in("LAYERPIPE_TEST_NO_LOCKS") == 1) {
    errno = ENOLCK;
    return -1;
  }
  return next<int (*)(int, int)>("flock")(descriptor, operation);
}

int access(const char* path, int mode) {
  if ((mode & W_OK) != 0 && is_named_by("LAYERPIPE_TEST_FORBIDDEN", path)) {
    errno = EACCES;
    return -1;
  }
  return next<int (*)(const char*, int)>("access")(path, mode);
}

}  // extern "C"
