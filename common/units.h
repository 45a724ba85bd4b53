// Sizes and durations as people read them. Standard library only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace layerpipe::common {

// "512 B", "24.5 KiB", "1.50 MiB", "38.05 GiB": binary units, two decimals from MiB on.
std::string format_bytes(std::uint64_t bytes);

// The same, rounded up to what is shown: a size that is said to suffice does.
std::string format_bytes_up(std::uint64_t bytes);

// "0.8 s", "12 s", "3 min 05 s", "1 h 02 min".
std::string format_duration(std::chrono::duration<double> duration);

// What the two functions below take, to end a sentence with: "expected " + kSizeForm.
inline constexpr const char* kSizeForm = "a number and KiB, MiB or GiB, such as 12GiB, 15.5GiB or 512MiB";
inline constexpr const char* kDurationForm = "a number and s or ms, such as 120s, 1.5s or 500ms";

// "12GiB", "15.5GiB", "512MiB", "64KiB"; a part of a byte is dropped. None for everything else: other units
// (24GB is not 24GiB), none, a sign, blanks, more than nine decimals, and what 64 bits do not hold.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

// "120s", "1.5s", "500ms"; a part of a millisecond is dropped. None for everything else, as above.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

inline constexpr const char* kSpeedForm = "a number and TFLOPS, such as 165TFLOPS";

// "165TFLOPS", in floating-point operations per second. None as above.
std::optional<double> parse_speed(std::string_view text);

inline constexpr const char* kRateForm = "a number and GB/s, such as 25GB/s";

// "25GB/s", "0.5GB/s", in bytes per second; GB/s are 10^9, as buses and disks are sold. None as above.
std::optional<double> parse_rate(std::string_view text);
// "24.5GB/s", "0.85GB/s", as parse_rate() takes it.
std::string format_rate(double bytes_per_second);

// "33%", "12.5%", in millionths of a percent, so that shares can be added up exactly. None as above.
std::optional<std::uint64_t> parse_percent(std::string_view text);

}  // namespace layerpipe::common
