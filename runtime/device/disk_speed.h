// How fast the disk is that weights are read from.
#pragma once

#include <filesystem>

namespace layerpipe::runtime {

// Bytes per second of a file, read past the kernel's copies of it (O_DIRECT), by as many threads as read
// weights: the first 256 MiB, or less where that takes longer than a second. 0, unknown, where the file
// system cannot read so, or the file is smaller than what a thread reads at a time.
double measure_disk_bytes_per_second(const std::filesystem::path& file);

}  // namespace layerpipe::runtime
