#include "common/units.h"

#include <cmath>
#include <cstdio>

namespace layerpipe::common {
namespace {

template <typename... Args>
std::string print(const char* format, Args... args) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, args...);
  return buffer;
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes < (1ULL << 10)) return std::to_string(bytes) + " B";
  if (bytes < (1ULL << 20)) return print("%.1f KiB", value / (1ULL << 10));
  if (bytes < (1ULL << 30)) return print("%.2f MiB", value / (1ULL << 20));
  return print("%.2f GiB", value / (1ULL << 30));
}

std::string format_duration(std::chrono::duration<double> duration) {
  const double seconds = duration.count();
  if (seconds < 9.95) return print("%.1f s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return print("%lld s", whole);
  if (whole < 3600) return print("%lld min %02lld s", whole / 60, whole % 60);
  return print("%lld h %02lld min", whole / 3600, whole % 3600 / 60);
}

}  // namespace layerpipe::common
