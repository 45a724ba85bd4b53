// A disk that is full, or may not be written, for a program that is started with this library in LD_PRELOAD:
//   LAYERPIPE_TEST_FREE_BYTES=N      what statvfs() says is free, on every disk
//   LAYERPIPE_TEST_WRITABLE_BYTES=N  how much write() takes, all files together, before it says ENOSPC; the
//                                    last bytes that fit are written, as on a real disk
//   LAYERPIPE_TEST_FORBIDDEN=PATH    what access() says may not be written
#include <dlfcn.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
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

std::atomic<long long> written{0};

}  // namespace

extern "C" {

int statvfs(const char* path, struct statvfs* status) {
  const int result = next<int (*)(const char*, struct statvfs*)>("statvfs")(path, status);
  const long long free_bytes = number_in("LAYERPIPE_TEST_FREE_BYTES");
  if (result == 0 && free_bytes >= 0) {
    status->f_frsize = 1;
    status->f_bavail = static_cast<fsblkcnt_t>(free_bytes);
  }
  return result;
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  const auto real_write = next<ssize_t (*)(int, const void*, size_t)>("write");
  const long long writable = number_in("LAYERPIPE_TEST_WRITABLE_BYTES");
  if (writable < 0 || descriptor <= STDERR_FILENO) return real_write(descriptor, bytes, count);
  const long long room = writable - written.load();
  if (room <= 0 && count > 0) {
    errno = ENOSPC;
    return -1;
  }
  const ssize_t done = real_write(descriptor, bytes, std::min(count, static_cast<size_t>(room)));
  if (done > 0) written.fetch_add(done);
  return done;
}

int access(const char* path, int mode) {
  const char* forbidden = std::getenv("LAYERPIPE_TEST_FORBIDDEN");
  if (forbidden != nullptr && (mode & W_OK) != 0 && std::strcmp(path, forbidden) == 0) {
    errno = EACCES;
    return -1;
  }
  return next<int (*)(const char*, int)>("access")(path, mode);
}

}  // extern "C"
