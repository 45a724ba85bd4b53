// The process between launch/run.sh and mpirun: it starts mpirun, hands signals on, and sees to it that
// everything ends, whoever dies first.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace layerpipe::launch {

// The entry in the environment of mpirun and of all ranks by which a run's processes on this host are known.
std::string mark_of(const std::filesystem::path& run_folder);

// Runs `mpirun`, a command line, to its end and comes back with the exit code of the run: 0 done, 2 usage or
// input, 3 does not fit, 4 a rank or its connection failed, 5 internal error, 6 results could not be written,
// 130 interrupted, 143 terminated. Nothing of the run is left then: no process of this host, no file. When it
// ends otherwise than a rank has said, says how.
//
// `front` is the end of a pipe whose other end the process that was started as launch/run.sh holds: when that
// one dies, the run is ended.
//
// SIGINT and SIGTERM, to this process or to mpirun, ask the ranks to end by themselves; a second one ends
// them at once. mpirun answers both by killing the ranks; so it does not get them, and this process looks
// whether one waits for it. It hands SIGUSR1 and SIGUSR2 on, which the ranks' keepers turn back, and ends all
// at SIGHUP.
int watch(const std::vector<std::string>& mpirun, const std::filesystem::path& run_folder, int front);

}  // namespace layerpipe::launch
