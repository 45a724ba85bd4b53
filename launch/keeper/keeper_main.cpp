// The keeper of a run, or of one of its ranks; launch/run.sh starts it.
//
//   keeper run MPIRUN [ARGUMENT...]     becomes the run: its exit code is the run's
//   keeper rank PROGRAM [ARGUMENT...]   becomes a rank that mpirun has started
#include <string>
#include <vector>

#include "common/errors.h"
#include "launch/keeper/process.h"
#include "launch/keeper/rank_keeper.h"
#include "launch/keeper/run_keeper.h"

int main(int argc, char** argv) {
  namespace launch = layerpipe::launch;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string whom = words.empty() ? "" : words.front();
  if (words.size() < 2 || (whom != "run" && whom != "rank")) {
    launch::say("keeper keeps a run or a rank", "launch/run.sh starts it.");
    return static_cast<int>(layerpipe::common::ExitCode::kInput);
  }
  const std::vector<std::string> command(words.begin() + 1, words.end());
  return whom == "run" ? launch::keep_run(command) : launch::keep_rank(command);
}
