// What started this process, as far as its environment tells: one of several processes of an MPI launcher or
// of a batch system, or a process on its own. Standard library only.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace layerpipe::comm::mpi {

struct LaunchEnvironment {
  std::string sign;  // what says so: "SLURM_STEP_NUM_TASKS=4"
  int rank = 0;
  int size = 1;  // how many processes were started together; where only the rank is told, at least so many
  bool is_size_known = true;
  // Whether MPI may find the others: the launcher offers one of the ways by which it does. Where it does not,
  // MPI_Init would start each process alone.
  bool may_meet = false;
};

// The value of an environment variable; nothing when it is not set.
using Lookup = std::function<std::optional<std::string>(const char*)>;

// The innermost launcher that has left its variables: mpirun of Open MPI, mpirun of MPICH, Intel MPI and
// other relatives, MVAPICH, jsrun, Flux, PALS, ALPS, PMIx (srun --mpi=pmix, prun), a step of Slurm. Nothing
// when there is none. A script of sbatch or salloc is none, although Slurm says there how many tasks the job
// may have: it is no step, or one of the reserved ones.
std::optional<LaunchEnvironment> find_launch(const Lookup& lookup);

// That of this process.
std::optional<LaunchEnvironment> find_launch();

// For a process of several that MPI finds alone: each of them would do the whole job. Throws InputError,
// which says how to start them instead.
[[noreturn]] void throw_not_met(const LaunchEnvironment& launch);
// Whether this process is the one of them to say it.
bool speaks_for_all(const LaunchEnvironment& launch);

}  // namespace layerpipe::comm::mpi
