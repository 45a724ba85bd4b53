// The process between mpirun and the program of one rank.
#pragma once

#include <string>
#include <vector>

namespace layerpipe::launch {

// Starts the program `words` as the rank that the environment names, sees to it that mpirun does not end the
// others too early, and comes back with the exit code.
//
// mpirun kills all ranks as soon as one ends with an error, and takes the first one's exit code for its own.
// So the end of a rank is held back: by a second when it knows the cause, by two when another rank was the
// cause, and for longer than the run's timeout when it was killed or broke, so that the others notice, say
// which rank it was, and end by themselves. The ranks of its host are told of that at once, through a file
// (comm/rank_folder.h), and tell those of others.
//
// Whoever dies first: when mpirun does, or ends the run, the program is asked to tidy up and gets two
// seconds; when this process does, the program is told by the system.
int keep_rank(const std::vector<std::string>& words);

}  // namespace layerpipe::launch
