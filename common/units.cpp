#include "common/units.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>

namespace layerpipe::common {
namespace {

template <typename... Args>
std::string print(const char* format, Args... args) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, args...);
  return buffer;
}

struct Unit {
  std::string_view name;
  std::uint64_t size;  // at most 2^30, so that nine decimals of it fit into 64 bits
};

constexpr Unit kSizeUnits[] = {
    {"KiB", std::uint64_t{1} << 10}, {"MiB", std::uint64_t{1} << 20}, {"GiB", std::uint64_t{1} << 30}};
constexpr Unit kDurationUnits[] = {{"ms", 1}, {"s", 1000}};
constexpr Unit kPercentUnits[] = {{"%", 1000000}};

constexpr Unit kRateUnits[] = {{"GB/s", 1000000000}};
constexpr Unit kSpeedUnits[] = {{"TFLOPS", 1000000}};  // in millions of operations per second

constexpr std::size_t kMostDecimals = 9;

std::optional<std::uint64_t> parse_digits(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// `number`, with or without decimals, times `size`, rounded down. In whole numbers, because a double holds
// not all of them.
std::optional<std::uint64_t> multiply(std::string_view number, std::uint64_t size) {
  const std::size_t point = number.find('.');
  const auto whole = parse_digits(number.substr(0, point));
  if (!whole || *whole > std::numeric_limits<std::uint64_t>::max() / size) return std::nullopt;
  if (point == number.npos) return *whole * size;
  const std::string_view decimals = number.substr(point + 1);
  const auto fraction = decimals.size() > kMostDecimals ? std::nullopt : parse_digits(decimals);
  if (!fraction) return std::nullopt;
  std::uint64_t scale = 1;
  for (std::size_t i = 0; i < decimals.size(); ++i) scale *= 10;
  // Whole units leave room for a part of one: the largest multiple of a size is 2^64 less that size.
  return *whole * size + *fraction * size / scale;
}

std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (text.ends_with(unit.name)) {
      return multiply(text.substr(0, text.size() - unit.name.size()), unit.size);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes < (1ULL << 10)) return std::to_string(bytes) + " B";
  if (bytes < (1ULL << 20)) return print("%.1f KiB", value / (1ULL << 10));
  if (bytes < (1ULL << 30)) return print("%.2f MiB", value / (1ULL << 20));
  return print("%.2f GiB", value / (1ULL << 30));
}

std::string format_bytes_up(std::uint64_t bytes) {
  constexpr std::uint64_t kHundredths = 100;
  const std::uint64_t unit = bytes < (1ULL << 20)   ? 1ULL << 10
                             : bytes < (1ULL << 30) ? 1ULL << 20
                                                    : 1ULL << 30;
  const char* const name = bytes < (1ULL << 20) ? "KiB" : bytes < (1ULL << 30) ? "MiB" : "GiB";
  const std::uint64_t part = (bytes % unit * kHundredths + unit - 1) / unit;
  const std::uint64_t whole = bytes / unit + part / kHundredths;
  return print("%llu.%02llu %s", static_cast<unsigned long long>(whole),
               static_cast<unsigned long long>(part % kHundredths), name);
}

std::string format_duration(std::chrono::duration<double> duration) {
  const double seconds = duration.count();
  if (seconds < 9.95) return print("%.1f s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return print("%lld s", whole);
  if (whole < 3600) return print("%lld min %02lld s", whole / 60, whole % 60);
  return print("%lld h %02lld min", whole / 3600, whole % 3600 / 60);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  return parse_quantity(text, kSizeUnits);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto milliseconds = parse_quantity(text, kDurationUnits);
  using Count = std::chrono::milliseconds::rep;
  if (!milliseconds || *milliseconds > static_cast<std::uint64_t>(std::numeric_limits<Count>::max())) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<Count>(*milliseconds));
}

std::optional<double> parse_speed(std::string_view text) {
  const auto millions = parse_quantity(text, kSpeedUnits);
  if (!millions) return std::nullopt;
  return 1e6 * static_cast<double>(*millions);
}

std::optional<double> parse_rate(std::string_view text) {
  const auto bytes = parse_quantity(text, kRateUnits);
  if (!bytes) return std::nullopt;
  return static_cast<double>(*bytes);
}

std::string format_rate(double bytes_per_second) {
  const double value = bytes_per_second / 1e9;
  return print(value < 0.1   ? "%.3fGB/s"
               : value < 10  ? "%.2fGB/s"
               : value < 100 ? "%.1fGB/s"
                             : "%.0fGB/s",
               value);
}

std::optional<std::uint64_t> parse_percent(std::string_view text) {
  return parse_quantity(text, kPercentUnits);
}

}  // namespace layerpipe::common
