// Where the keepers of a run, and mpirun, leave what they have to write. Standard library and POSIX only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace layerpipe::launch {

// What Open MPI is sure to have room in for its own files: 8.3 MB of 4.1.4 and 0.3 MB of 5.0.11 have been
// seen, with 2 to 6 ranks.
inline constexpr std::uintmax_t kSpaceOfMpirun = 16U << 20U;

// A folder that will not do, and why: "/scratch is not there".
struct UnusableFolder {
  std::filesystem::path folder;
  std::string why;
};

// Where temporary files may go: TMPDIR, if it is set, then the usual places.
std::vector<std::filesystem::path> temporary_folders();

// Why a folder cannot take `space` bytes in new files, if it cannot.
std::optional<std::string> reason_against(const std::filesystem::path& folder, std::uintmax_t space);

// The first of `candidates` that can; those before it go to `passed_over`. Nothing when none can.
std::optional<std::filesystem::path> choose_folder(const std::vector<std::filesystem::path>& candidates,
                                                   std::uintmax_t space,
                                                   std::vector<UnusableFolder>& passed_over);

// A new folder of a run, for its owner alone; `parent` is usable. Throws std::system_error.
std::filesystem::path make_run_folder(const std::filesystem::path& parent);

// The folder in which the ranks of this host see each other (comm/rank_folder.h): within the run's where the
// run was started, beside where it would be on other hosts, and in another place where that one cannot be
// used there. The same for all ranks of a host. Nothing when there is no place.
std::optional<std::filesystem::path> rank_folder(const std::filesystem::path& run_folder);

// Where Open MPI keeps the memory that ranks of a host share: a folder of the run's own, so that nothing is
// left when processes are killed. Empty where this host has no /dev/shm.
std::filesystem::path shared_memory_folder(const std::filesystem::path& run_folder);

}  // namespace layerpipe::launch
