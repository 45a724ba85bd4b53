// Which processor cores are near a GPU. On a machine with several memory nodes a rank that loads weights from
// the far one has a part of the speed only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::runtime {

// "0-3,8" as the kernel lists cores: 0, 1, 2, 3, 8. Empty when the text is something else.
std::vector<int> parse_core_list(std::string_view text);

// The cores at the memory node of the PCI device "0000:3b:00.0" (hexadecimal digits of either case), by the
// kernel; empty when it does not tell.
std::vector<int> cores_near(const std::string& pci_address, const std::filesystem::path& sysfs = "/sys");

// Keeps the calling thread, and threads that it starts from now on, on those of `cores` that it may use now,
// and says how many these are. Where it may use none of them it stays where it is, and 0 is said: a launcher
// that binds its ranks knows why.
int stay_on(const std::vector<int>& cores);

}  // namespace layerpipe::runtime
