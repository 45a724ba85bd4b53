#include <algorithm>
#include <map>
#include <set>

#include "common/errors.h"
#include "partition/problem.h"

namespace layerpipe::partition {

std::vector<Place> places_by_host(std::span<const DeviceInfo> devices, const PartitionConfig& config) {
  if (devices.empty()) throw common::InputError("there is no device to plan for");
  std::set<int> ranks;
  std::map<std::string, std::size_t> order_of_host;
  std::vector<Place> places;
  for (const DeviceInfo& device : devices) {
    if (!ranks.insert(device.rank).second) {
      throw common::InputError("rank " + std::to_string(device.rank) + " is named twice among the devices");
    }
    order_of_host.try_emplace(device.host, order_of_host.size());
    const std::uint64_t usable =
        std::min(device.free_bytes, config.memory_limit_bytes.value_or(device.free_bytes));
    places.push_back({device, usable, usable - std::min(usable, config.reserve_bytes)});
  }
  std::stable_sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
    return order_of_host.at(a.device.host) < order_of_host.at(b.device.host);
  });
  return places;
}

}  // namespace layerpipe::partition
