#include "runtime/device/locality.h"

#include <sched.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>

namespace layerpipe::runtime {
namespace {

// Reads a core's number off the front of the text.
bool take_core(std::string_view& text, int& core) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), core);
  if (error != std::errc() || core < 0 || core >= CPU_SETSIZE) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char sign) {
  if (!text.starts_with(sign)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::vector<int> parse_core_list(std::string_view text) {
  std::vector<int> cores;
  do {
    int first = 0;
    if (!take_core(text, first)) return {};
    int last = first;
    if (take(text, '-') && (!take_core(text, last) || last < first)) return {};
    for (int core = first; core <= last; ++core) cores.push_back(core);
  } while (take(text, ','));
  return text.empty() ? cores : std::vector<int>();
}

std::vector<int> cores_near(const std::string& pci_address, const std::filesystem::path& sysfs) {
  if (pci_address.empty()) return {};
  std::string folder = pci_address;
  std::transform(folder.begin(), folder.end(), folder.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  std::ifstream in(sysfs / "bus" / "pci" / "devices" / folder / "local_cpulist");
  std::string line;
  std::getline(in, line);
  return parse_core_list(line);
}

int stay_on(const std::vector<int>& cores) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  cpu_set_t near;
  CPU_ZERO(&near);
  for (const int core : cores) {
    if (CPU_ISSET(core, &allowed)) CPU_SET(core, &near);
  }
  const int count = CPU_COUNT(&near);
  return count > 0 && ::sched_setaffinity(0, sizeof near, &near) == 0 ? count : 0;
}

}  // namespace layerpipe::runtime
