// What the partitioner knows of a device: measured on one that is there, or imagined.
#pragma once

#include <cstdint>
#include <string>

namespace layerpipe::partition {

// One rank and its device.
struct DeviceInfo {
  int rank = 0;
  std::string host;
  std::string name;                  // "NVIDIA H200"
  std::uint64_t total_bytes = 0;     // 0: unknown
  std::uint64_t free_bytes = 0;      // before this process made a context on it
  std::string memory_limit;          // what keeps it below its machine's, in words; empty: nothing does
  double operations_per_second = 0;  // of transformer blocks in the compute dtype; 0: unknown
  double link_bytes_per_second = 0;  // to the next stage; 0: unknown
  double load_bytes_per_second = 0;  // of weights, from the host's memory; 0: unknown, and so is what streams
  bool is_cpu = false;               // its memory is the host's
  std::uint64_t host_free_bytes = 0;  // what the host's ranks may have of its memory, where copies of files
                                      // make room; 0: unknown
  std::string host_memory_limit{};    // as memory_limit, of that
  double disk_bytes_per_second = 0;   // of the host: of files that its memory holds no copy of; 0: unknown
};

}  // namespace layerpipe::partition
