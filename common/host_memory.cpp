#include "common/host_memory.h"

#include <algorithm>
#include <fstream>

#include "common/errors.h"
#include "common/units.h"

namespace layerpipe::common {
namespace {

// A container shows its own group as the root, which tells nobody anything.
std::string named(const MemoryPool& pool, const std::string& before, const std::string& after) {
  return pool.cgroup == "/" ? "" : before + pool.cgroup + after;
}

}  // namespace

std::vector<MemoryPool> memory_pools(const std::filesystem::path& root) {
  MemoryPool machine;
  std::ifstream in(root / "proc" / "meminfo");
  std::string key;
  // Lines "MemTotal:   123 kB".
  for (std::uint64_t kibibytes = 0; in >> key >> kibibytes; in.ignore(1024, '\n')) {
    if (key == "MemTotal:") machine.total = kibibytes << 10;
    if (key == "MemAvailable:") machine.free = kibibytes << 10;
  }
  std::vector<MemoryPool> pools{machine};
  for (MemoryPool& pool : cgroup_limits(root).memory) {
    if (pool.total < machine.total) pools.push_back(std::move(pool));
  }
  return pools;
}

const MemoryPool& tightest(std::span<const MemoryPool> pools) {
  ensure(!pools.empty(), "there is no memory to choose from");
  return *std::min_element(pools.begin(), pools.end(),
                           [](const MemoryPool& a, const MemoryPool& b) { return a.free < b.free; });
}

MemoryPool memory_left() {
  return tightest(memory_pools());
}

std::string free_text(const MemoryPool& pool) {
  const std::string who = pool.cgroup.empty() ? "this machine" : "the cgroup" + named(pool, " ", "");
  return who + " has " + format_bytes(pool.free) + " of " + format_bytes(pool.total) + " free";
}

std::string limit_text(const MemoryPool& pool) {
  if (pool.cgroup.empty()) return {};
  return "a cgroup limits the memory to " + format_bytes(pool.total) + named(pool, " (", ")");
}

const char* cure_text(const MemoryPool& pool) {
  return pool.cgroup.empty() ? "Close other programs" : "Raise the cgroup's limit";
}

}  // namespace layerpipe::common
