#include "runtime/device/host_share.h"

#include <sched.h>

#include <algorithm>
#include <cmath>

#include "comm/wire.h"
#include "common/errors.h"
#include "common/host_memory.h"

namespace layerpipe::runtime {
namespace {

std::vector<std::byte> write(std::span<const std::string> names) {
  comm::WireWriter writer;
  writer.number(static_cast<std::uint32_t>(names.size()));
  for (const std::string& name : names) writer.text(name);
  return writer.take();
}

std::vector<std::string> read(std::span<const std::byte> bytes) {
  comm::WireReader reader(bytes);
  std::vector<std::string> names;
  for (auto left = reader.number<std::uint32_t>(); left > 0; --left) names.push_back(reader.text());
  reader.end();
  return names;
}

// "cores 0-3" would do as well: it is compared, not shown.
std::string name_of(const cpu_set_t& cores) {
  std::string name = "cores ";
  for (int core = 0; core < CPU_SETSIZE; ++core) name += CPU_ISSET(core, &cores) ? '1' : '0';
  return name;
}

}  // namespace

std::vector<int> count_sharers(comm::Communicator& communicator, std::span<const std::string> mine,
                               const char* what) {
  std::vector<int> counts(mine.size(), 0);
  const std::vector<std::vector<std::byte>> told = communicator.all_gather(write(mine), what);
  for (int rank = 0; rank < communicator.size(); ++rank) {
    if (communicator.host(rank) != communicator.host(communicator.rank())) continue;
    const std::vector<std::string> names = read(told[static_cast<std::size_t>(rank)]);
    for (std::size_t i = 0; i < mine.size(); ++i)
      counts[i] += std::find(names.begin(), names.end(), mine[i]) != names.end() ? 1 : 0;
  }
  return counts;
}

common::MemoryPool smallest_part(std::span<const common::MemoryPool> pools, std::span<const int> sharers) {
  common::ensure(!pools.empty() && pools.size() == sharers.size(), "memory is shared by nobody knows whom");
  std::vector<common::MemoryPool> parts(pools.begin(), pools.end());
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts[i].free /= static_cast<std::uint64_t>(std::max(sharers[i], 1));
  return *std::min_element(parts.begin(), parts.end(),
                           [](const auto& a, const auto& b) { return a.free < b.free; });
}

common::MemoryPool memory_share(comm::Communicator& communicator) {
  const std::vector<common::MemoryPool> pools = common::memory_pools();
  std::vector<std::string> names;
  for (const common::MemoryPool& pool : pools) names.push_back(pool.id);
  return smallest_part(pools, count_sharers(communicator, names, "counting who shares memory"));
}

int thread_share(std::span<const common::CpuPool> pools, std::span<const int> sharers) {
  common::ensure(!pools.empty() && pools.size() == sharers.size(), "cores are shared by nobody knows whom");
  double least = CPU_SETSIZE;
  // A part of a core keeps a thread busy for a part of the time, which is better than none.
  for (std::size_t i = 0; i < pools.size(); ++i)
    least = std::min(least, std::ceil(pools[i].cores) / std::max(sharers[i], 1));
  return std::max(1, static_cast<int>(least));
}

std::vector<common::CpuPool> cpu_pools() {
  std::vector<common::CpuPool> pools = common::cgroup_limits().cpus;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0)
    pools.push_back({name_of(cores), static_cast<double>(CPU_COUNT(&cores))});
  return pools;
}

}  // namespace layerpipe::runtime
