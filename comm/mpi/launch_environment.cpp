#include "comm/mpi/launch_environment.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "common/errors.h"

namespace layerpipe::comm::mpi {
namespace {

// How a launcher tells a process which one it is, and of how many; an empty size where it does not tell that.
struct Launcher {
  const char* size;
  const char* rank;
  bool may_meet;
};

// In the order of trust: an mpirun within a step of Slurm leaves both.
constexpr std::array kLaunchers{
    Launcher{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", true},
    Launcher{"PMI_SIZE", "PMI_RANK", true},  // MPICH, Intel MPI, Cray's PALS, Flux, srun --mpi=pmi2
    Launcher{"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", false},
    Launcher{"JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK", false},
    Launcher{"FLUX_JOB_SIZE", "FLUX_TASK_RANK", false},
};
constexpr std::array kOthers{
    Launcher{"PALS_LOCAL_SIZE", "PALS_RANKID", false},
    Launcher{"", "ALPS_APP_PE", false},
    Launcher{"", "PMIX_RANK", true},
    Launcher{"MPI_LOCALNRANKS", "MPI_LOCALRANKID", false},
};

// Slurm's numbers of steps that are none of a user's: a batch script, an interactive shell, and others.
constexpr std::int64_t kFirstReservedStep = 0xfffffff0;

std::optional<std::int64_t> number(const Lookup& lookup, const char* name) {
  const std::optional<std::string> text = *name == '\0' ? std::nullopt : lookup(name);
  if (!text) return {};
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < 0) return {};
  return value;
}

std::string sign_of(const char* name, std::int64_t value) {
  return std::string(name) + "=" + std::to_string(value);
}

std::optional<LaunchEnvironment> by_size(const Lookup& lookup, const Launcher& launcher) {
  const auto size = number(lookup, launcher.size);
  if (!size || *size < 1) return {};
  return LaunchEnvironment{.sign = sign_of(launcher.size, *size),
                           .rank = static_cast<int>(number(lookup, launcher.rank).value_or(0)),
                           .size = static_cast<int>(*size),
                           .is_size_known = true,
                           .may_meet = launcher.may_meet};
}

std::optional<LaunchEnvironment> by_step_of_slurm(const Lookup& lookup) {
  const auto step = number(lookup, "SLURM_STEP_ID");
  if (!step || *step >= kFirstReservedStep) return {};
  const char* name = lookup("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  return by_size(lookup, {name, "SLURM_PROCID", /*may_meet=*/false});
}

// Where only the rank is told, or how many processes there are on this host.
std::optional<LaunchEnvironment> by_rank(const Lookup& lookup, const Launcher& launcher) {
  const auto rank = number(lookup, launcher.rank);
  if (!rank) return {};
  const auto here = number(lookup, launcher.size).value_or(1);
  const bool by_size = here > *rank;
  return LaunchEnvironment{.sign = by_size ? sign_of(launcher.size, here) : sign_of(launcher.rank, *rank),
                           .rank = static_cast<int>(*rank),
                           .size = static_cast<int>(std::max<std::int64_t>(here, *rank + 1)),
                           .is_size_known = false,
                           .may_meet = launcher.may_meet};
}

}  // namespace

std::optional<LaunchEnvironment> find_launch(const Lookup& lookup) {
  std::optional<LaunchEnvironment> found;
  for (const Launcher& launcher : kLaunchers) {
    if (!found) found = by_size(lookup, launcher);
  }
  if (!found) found = by_step_of_slurm(lookup);
  for (const Launcher& launcher : kOthers) {
    if (!found) found = by_rank(lookup, launcher);
  }
  // Also below Slurm's or Flux's own variables.
  if (found && lookup("PMIX_NAMESPACE")) found->may_meet = true;
  return found;
}

std::optional<LaunchEnvironment> find_launch() {
  return find_launch([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return {};
    return value;
  });
}

void throw_not_met(const LaunchEnvironment& launch) {
  const std::string size = std::to_string(launch.size);
  const std::string count = (launch.is_size_known ? "" : "at least ") + size;
  throw common::InputError(count + " processes were started together (" + launch.sign +
                               "), but MPI finds none of the others: each would do the whole job",
                           "Start them with launch/run.sh -n " + size +
                               ", also within a job of Slurm or another batch system, or with the mpirun of "
                               "the MPI that layerpipe was "
                               "built with. Processes that are to work alone are started one by one.");
}

bool speaks_for_all(const LaunchEnvironment& launch) {
  // The first one cannot know of the others where only ranks are told.
  return launch.rank == 0 || (!launch.is_size_known && launch.rank + 1 == launch.size && launch.rank == 1);
}

}  // namespace layerpipe::comm::mpi
