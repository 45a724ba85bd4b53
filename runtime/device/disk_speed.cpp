#include "runtime/device/disk_speed.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "common/clock.h"
#include "common/descriptor.h"

namespace layerpipe::runtime {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{256} << 20;
// At a time: disks are at their fastest, and every file system's blocks divide it.
constexpr std::int64_t kPartBytes = std::int64_t{4} << 20;
constexpr std::size_t kAlignment = 4096;
constexpr double kLongSeconds = 1;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

}  // namespace

double measure_disk_bytes_per_second(const std::filesystem::path& file,
                                     const std::function<void()>& report_progress) {
  std::error_code none;
  const auto size = std::filesystem::file_size(file, none);
  const common::Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT));
  if (none || descriptor.get() < 0) return 0;
  const std::int64_t parts = std::min(static_cast<std::int64_t>(size), kMostBytes) / kPartBytes;
  std::atomic<std::int64_t> read{0};
  std::atomic<bool> failed{false};
  const double begin = common::now();
  at::parallel_for(0, parts, 1, [&](std::int64_t first, std::int64_t end) {
    const std::unique_ptr<void, Free> buffer(std::aligned_alloc(kAlignment, kPartBytes));
    for (std::int64_t part = first; part < end && common::now() - begin < kLongSeconds; ++part) {
      const ssize_t count =
          buffer ? ::pread(descriptor.get(), buffer.get(), kPartBytes, part * kPartBytes) : -1;
      if (count != kPartBytes) {
        failed = true;
        return;
      }
      read += count;
      if (report_progress) report_progress();
    }
  });
  return failed ? 0 : static_cast<double>(read) / (common::now() - begin);
}

}  // namespace layerpipe::runtime
