// What control groups allow this process of the machine's memory and processors: containers, batch systems
// and systemd limit processes by them. Versions 1 and 2, and both at once. Standard library and POSIX only.
//
// Source: Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst of the kernel, proc(5), cgroup_namespaces(7).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace layerpipe::common {

// Memory that some processes of a machine share. Bytes.
struct MemoryPool {
  std::string id;  // the same for all processes of the machine that share it; empty: of the machine itself
  std::string cgroup;  // the group's path, as this process sees it; empty: of the machine itself
  std::uint64_t total = 0;
  std::uint64_t free = 0;  // what can still be had: the kernel's copies of files (page cache) make room
};

// Processor time that some processes of a machine share.
struct CpuPool {
  std::string id;    // as above
  double cores = 0;  // 1.5: one and a half
};

struct CgroupLimits {
  std::vector<MemoryPool> memory;
  std::vector<CpuPool> cpus;
};

// The groups that limit something, from this process's own one up to the outermost that it sees: all of them
// count. `root` stands for /, for tests. A file that is missing, or makes no sense, limits nothing.
CgroupLimits cgroup_limits(const std::filesystem::path& root = "/");

}  // namespace layerpipe::common
