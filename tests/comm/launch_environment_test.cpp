// What launchers leave in the environment of a process, as their documentation and runs of them show it.
#include "comm/mpi/launch_environment.h"

#include <gtest/gtest.h>

#include <map>

namespace layerpipe::comm::mpi {
namespace {

using Variables = std::map<std::string, std::string>;

std::optional<LaunchEnvironment> find(const Variables& variables) {
  return find_launch([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return {};
    return found->second;
  });
}

struct Case {
  const char* name;
  Variables variables;
  const char* sign;
  int rank;
  int size;
  bool may_meet;
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

class SeveralProcesses : public ::testing::TestWithParam<Case> {};

TEST_P(SeveralProcesses, AreSeen) {
  const auto launch = find(GetParam().variables);
  ASSERT_TRUE(launch.has_value());
  EXPECT_EQ(launch->sign, GetParam().sign);
  EXPECT_EQ(launch->rank, GetParam().rank);
  EXPECT_EQ(launch->size, GetParam().size);
  EXPECT_EQ(launch->may_meet, GetParam().may_meet);
}

const Variables kStep{
    {"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "0"}, {"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "3"}};

Variables with(Variables variables, const Variables& more) {
  variables.insert(more.begin(), more.end());
  return variables;
}

INSTANTIATE_TEST_SUITE_P(
    Launchers, SeveralProcesses,
    ::testing::Values(
        Case{"OpenMpi",
             {{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "2"}, {"PMIX_RANK", "2"}},
             "OMPI_COMM_WORLD_SIZE=4",
             2,
             4,
             true},
        Case{"OpenMpiWithinAStepOfSlurm",
             with(kStep, {{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "2"}}),
             "OMPI_COMM_WORLD_SIZE=4", 2, 4, true},
        Case{"MpichAndIntelMpi",
             {{"PMI_SIZE", "2"},
              {"PMI_RANK", "1"},
              {"PMI_FD", "9"},
              {"MPI_LOCALNRANKS", "2"},
              {"MPI_LOCALRANKID", "1"}},
             "PMI_SIZE=2",
             1,
             2,
             true},
        Case{"HydraOfWhichOnlyItsOwnVariablesAreLeft",
             {{"MPI_LOCALNRANKS", "2"}, {"MPI_LOCALRANKID", "0"}},
             "MPI_LOCALNRANKS=2",
             0,
             2,
             false},
        Case{"Mvapich",
             {{"MV2_COMM_WORLD_SIZE", "3"}, {"MV2_COMM_WORLD_RANK", "0"}},
             "MV2_COMM_WORLD_SIZE=3",
             0,
             3,
             false},
        Case{"Jsrun",
             {{"JSM_NAMESPACE_SIZE", "6"}, {"JSM_NAMESPACE_RANK", "5"}},
             "JSM_NAMESPACE_SIZE=6",
             5,
             6,
             false},
        Case{"Flux", {{"FLUX_JOB_SIZE", "2"}, {"FLUX_TASK_RANK", "1"}}, "FLUX_JOB_SIZE=2", 1, 2, false},
        Case{"PalsOnOneHost",
             {{"PALS_RANKID", "0"}, {"PALS_LOCAL_SIZE", "4"}},
             "PALS_LOCAL_SIZE=4",
             0,
             4,
             false},
        Case{"PalsOnAnotherHost",
             {{"PALS_RANKID", "9"}, {"PALS_LOCAL_SIZE", "4"}},
             "PALS_RANKID=9",
             9,
             10,
             false},
        Case{"Alps", {{"ALPS_APP_PE", "1"}}, "ALPS_APP_PE=1", 1, 2, false},
        Case{"Pmix", {{"PMIX_RANK", "1"}, {"PMIX_NAMESPACE", "prterun-1"}}, "PMIX_RANK=1", 1, 2, true},
        Case{"PlainSrun", with(kStep, {{"SLURM_STEP_NUM_TASKS", "4"}}), "SLURM_STEP_NUM_TASKS=4", 3, 4,
             false},
        Case{"SrunThatTellsOfTheJobOnly", kStep, "SLURM_NTASKS=8", 3, 8, false},
        Case{"SrunWithPmix", with(kStep, {{"PMIX_RANK", "3"}, {"PMIX_NAMESPACE", "slurm.pmix.7.0"}}),
             "SLURM_NTASKS=8", 3, 8, true},
        Case{"SrunWithPmi2", with(kStep, {{"PMI_SIZE", "8"}, {"PMI_RANK", "3"}}), "PMI_SIZE=8", 3, 8, true}),
    [](const auto& info) { return info.param.name; });

TEST(LaunchEnvironment, OfAProcessAlone) {
  EXPECT_FALSE(find({}).has_value());
  EXPECT_FALSE(find({{"PATH", "/bin"}, {"PMIX_VERSION", "4.2.2"}}).has_value());
}

// Slurm says there how many tasks the job may have, and that this one is the first of them.
TEST(LaunchEnvironment, OfAScriptOfSbatchIsThatOfAProcessAlone) {
  const Variables script{{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}};
  EXPECT_FALSE(find(script).has_value());
  for (const char* reserved : {"4294967291", "4294967290", "4294967292"})
    EXPECT_FALSE(find(with(script, {{"SLURM_STEP_ID", reserved}})).has_value()) << reserved;
}

TEST(LaunchEnvironment, OfAStepWithOneTaskIsOfOneProcess) {
  const auto launch = find({{"SLURM_STEP_ID", "3"}, {"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_NTASKS", "8"}});
  ASSERT_TRUE(launch.has_value());
  EXPECT_EQ(launch->size, 1);
}

TEST(LaunchEnvironment, DoesNotCountWhatIsNoNumber) {
  EXPECT_FALSE(
      find({{"PMI_SIZE", "two"}, {"OMPI_COMM_WORLD_SIZE", ""}, {"FLUX_JOB_SIZE", "-1"}}).has_value());
}

}  // namespace
}  // namespace layerpipe::comm::mpi
