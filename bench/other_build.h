// The same benchmark of two builds, in turn.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace layerpipe::bench {

// Runs a benchmark of this build and the one of that name in the folder `against` in turn, `rounds` times
// each, in processes of their own, with `arguments` and --json; prints each one's median and the ratio of the
// means. One that knows no --seconds is called with --repeat, so often that it takes as long. Gives the exit
// code: that of a benchmark that failed. Throws InputError without such a program.
int compare_builds(const std::string& program, const std::filesystem::path& against,
                   const std::vector<std::string>& arguments, std::int64_t seconds, std::int64_t rounds);

}  // namespace layerpipe::bench
