// What the ranks of one host, and the keeper of each (launch/keeper), tell each other through files: that
// they are here, and that they ended. For what MPI does not tell: who is missing while MPI starts, and who
// was killed. Standard library and POSIX only.
//
// The keeper of a rank (launch/keeper) makes the folder and names it in LAYERPIPE_RANKS. By rank R it holds
//   here.R    of the keeper: the host's name, and below it the keeper's process; its rank is about to start
//   on this host alive.R   of the rank, while it meets the others: touched several times per timeout inside.R
//   of the rank: it has met the others failed    of the rank that says why they have not met dead.R    of the
//   keeper: how the rank ended, "was killed by signal 9", when it could not tell anybody itself timeout.R of
//   the rank: the run's timeout, in whole seconds ended.R   of the keeper: the exit code, or that mpirun
//   ended the rank
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace layerpipe::comm {

class RankFolder {
 public:
  RankFolder(std::filesystem::path folder, int rank, int size);
  // That of the environment; none where the rank was not started by a keeper.
  static std::optional<RankFolder> from_environment(int rank, int size);

  // Failures to write are not told: the others see what a rank that does not come looks like.
  void touch() const noexcept;
  void set_inside() const noexcept;

  // Whether this rank is the one of its host to say why they have not met: the first that asks.
  bool claim_message() const noexcept;

  // What is known of another rank. Ages are by the clock of the file system.
  struct Presence {
    std::string host;  // "" for a rank that is on another host, or that mpirun has not started yet
    bool is_inside = false;
    std::optional<std::chrono::nanoseconds> announced;  // since its keeper said that it is here
    std::optional<std::chrono::nanoseconds> alive;      // since it was touched last, when it was at all
  };
  // Call touch() before: it is what "now" means.
  Presence presence(int rank) const;

  struct Death {
    int rank = -1;
    std::string host;
    std::string how;  // "was killed by signal 9"
  };
  // The lowest other rank of this host that is dead, if there is one.
  std::optional<Death> death() const;

  int rank() const { return rank_; }
  int size() const { return size_; }

 private:
  std::filesystem::path file(const char* kind, int rank) const;

  std::filesystem::path folder_;
  int rank_;
  int size_;
};

}  // namespace layerpipe::comm
