// Sizes and durations as people read them. Standard library only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace layerpipe::common {

// "512 B", "24.5 KiB", "1.50 MiB", "38.05 GiB": binary units, two decimals from MiB on.
std::string format_bytes(std::uint64_t bytes);

// "0.8 s", "12 s", "3 min 05 s", "1 h 02 min".
std::string format_duration(std::chrono::duration<double> duration);

}  // namespace layerpipe::common
