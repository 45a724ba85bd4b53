// What launch/run.sh becomes: it gets the user's signals and gives the exit code; a second process, the
// watcher (watcher.h), does the work, so that each of the two can end the run when the other dies.
#pragma once

#include <string>
#include <vector>

namespace layerpipe::launch {

// Runs `mpirun`, a command line that starts ranks under keep_rank(), and comes back with the run's exit code.
int keep_run(const std::vector<std::string>& mpirun);

}  // namespace layerpipe::launch
