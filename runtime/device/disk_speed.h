// How fast the disk is that weights are read from.
#pragma once

#include <filesystem>
#include <functional>

namespace layerpipe::runtime {

// Bytes per second of a file, read past the kernel's copies of it (O_DIRECT), by as many threads as read
// weights: the first 256 MiB, or less where that takes longer than a second. Calls `report_progress` from
// several threads, for each part. 0, unknown, where the file system cannot read so, or the file is smaller
// than what a thread reads at a time.
double measure_disk_bytes_per_second(const std::filesystem::path& file,
                                     const std::function<void()>& report_progress = {});

}  // namespace layerpipe::runtime
