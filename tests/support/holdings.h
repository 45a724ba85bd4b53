// What a process holds that could grow when it does the same again and again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace layerpipe::testing {

struct Holdings {
  std::int64_t files = 0;
  std::int64_t threads = 0;
  std::int64_t resident_kib = 0;
};

// What this process holds now.
inline Holdings holdings() {
  Holdings held;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) ++held.files;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "Threads:") status >> held.threads;
    if (word == "VmRSS:") status >> held.resident_kib;
  }
  return held;
}

}  // namespace layerpipe::testing
