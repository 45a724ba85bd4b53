// What the machine lacks.
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kSection = "The machine";

// --device cuda with a driver that is not there: tests/launch/fake_cuda_driver.cpp.
RefusalCase gpu(const std::string& name, const std::string& deed, const std::vector<std::string>& driver,
                const std::string& message, const std::string& cure) {
  return {name,
          kSection,
          deed,
          [driver](Workplace& w) {
            w.set_environment("LD_LIBRARY_PATH=" LAYERPIPE_FAKE_DRIVER);
            for (const std::string& fact : driver) w.set_environment("FAKE_CUDA_" + fact);
            w.set("--device", "cuda");
          },
          "--device cuda: " + message,
          cure};
}

// The same for what no stand-in can bring about in a run.
RefusalCase judged(const std::string& test, const std::string& deed, const std::string& message,
                   const std::string& cure) {
  return {.name = test,
          .section = kSection,
          .deed = deed,
          .prepare = {},
          .message = "--device cuda: " + message,
          .cure = cure,
          .tested_by = "runtime/device/device_test.cpp: TEST(JudgeGpu, " + test + ")"};
}

// One of several processes, of which each would do the whole job.
RefusalCase one_of(const std::string& name, const std::string& deed,
                   const std::vector<std::string>& variables, const std::string& message) {
  return {
      name,
      kSection,
      deed,
      [variables](Workplace& w) {
        for (const std::string& variable : variables) w.set_environment(variable);
      },
      message + ", but MPI finds none of the others: each would do the whole job",
      "Start them with launch/run.sh -n 4, also within a job of Slurm or another batch system, or with the "
      "mpirun "
      "of the MPI that layerpipe was built with. Processes that are to work alone are started one by one."};
}

std::vector<RefusalCase> lone_processes() {
  return {
      one_of("StartedBySrunAlone", "four tasks of `srun`, without a PMIx that MPI finds",
             {"SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=4", "SLURM_PROCID=0"},
             "4 processes were started together (SLURM_STEP_NUM_TASKS=4)"),
      one_of("StartedByAnotherMpi", "four processes of another MPI's `mpirun`", {"PMI_SIZE=4", "PMI_RANK=0"},
             "4 processes were started together (PMI_SIZE=4)"),
  };
}

std::vector<RefusalCase> gpus() {
  return {
      gpu("NoGpu", "`--device cuda` without a GPU", {"VERSION=13000", "GPUS=0", "CAPABILITY=80"},
          "the NVIDIA driver shows no GPU",
          "Check with nvidia-smi, and the environment variable CUDA_VISIBLE_DEVICES, or take --device cpu."),
      gpu("DriverTooOld", "a driver that is too old", {"VERSION=12040", "GPUS=1", "CAPABILITY=80"},
          "the NVIDIA driver is too old: it is for CUDA 12.4, and this layerpipe needs one for CUDA 13.0",
          "Install an NVIDIA driver for CUDA 13.0 or newer, or take --device cpu."),
      gpu("DriverDoesNotStart", "a driver that does not start",
          {"VERSION=13000", "GPUS=1", "CAPABILITY=80", "INIT=803"},
          "the NVIDIA driver does not start: the fake driver says so (error 803)",
          "Check with nvidia-smi; often the machine has to be started again after an update of the driver."),
      gpu("GpuTooOld", "a GPU that is too old", {"VERSION=13000", "GPUS=1", "CAPABILITY=75"},
          "GPU 0 (Fake GPU) has compute capability 7.5; layerpipe needs 8.0 or more",
          "Choose another GPU with CUDA_VISIBLE_DEVICES, or take --device cpu."),
      judged("NoDriver", "no NVIDIA driver",
             "this machine has no NVIDIA driver: its library libcuda.so.1 was not found",
             "Install an NVIDIA driver for CUDA 13.0 or newer, or take --device cpu."),
      judged("KernelsThatWereCompiledForNewerGpus",
             "a GPU older than those that the kernels were compiled for",
             "GPU 0 (NVIDIA A100) has compute capability 8.0; this layerpipe was compiled for 9.0 or more",
             "Build it with -DLAYERPIPE_CUDA_ARCHITECTURES=80, or take --device cpu."),
      judged("ALibTorchWithoutCuda", "a LibTorch for CPUs only",
             "this layerpipe was built with a LibTorch for CPUs only",
             "Build it with the torch package for CUDA, or take --device cpu."),
      {"NoGpuForTheNoise", kSection, "`--seed-device cuda` with `--device cpu`",
       [](Workplace& w) { w.set("--seed-device", "cuda"); }, "--seed-device cuda needs a GPU",
       "Take --seed-device cpu."},
  };
}

std::vector<RefusalCase> memory() {
  const std::string cure =
      "Close other programs, or try a smaller --resolution, fewer --layers or --dtype bf16.";
  const auto largest_tensor = [](const std::string& bytes) {
    return [bytes](Workplace& w) {
      w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
      w.set_environment("LAYERPIPE_TEST_LARGEST_TENSOR=" + bytes);
      w.set_environment("OMP_NUM_THREADS=1");  // else it is chance which thread asks first
    };
  };
  return {
      {"OutOfMemoryWhileEncoding", kSection, "a machine that runs out of memory", largest_tensor("100000"),
       "the machine has not enough memory for encoding: 576.0 KiB more were asked for", cure, 3,
       Found::kWhileWorking},
      {"OutOfMemoryForThePictures", kSection, "the same, while pictures are read", largest_tensor("15000"),
       "the machine has not enough memory for the pictures: 16.0 KiB more were asked for", cure, 3},
      {.name = "OriginalSizeThatDoesNotFit",
       .section = kSection,
       .deed = "`--original-size` with a picture that is too large for the machine",
       .prepare = {},
       .message = "writing layers of 12000 × 10000 pixels takes 2.68 GiB; this machine has 2.00 GiB of 4.00 "
                  "GiB free",
       .cure = "Close other programs, or leave out --original-size.",
       .exit_code = 3,
       .tested_by = "results/result_writer_test.cpp: TEST(WritingMemory, IsAskedForTheLargestResult)"},
      {.name = "OriginalSizeThatDoesNotFitIntoACgroup",
       .section = kSection,
       .deed = "the same in a container or a job with a limit",
       .prepare = {},
       .message =
           "writing layers of 12000 × 10000 pixels takes 2.68 GiB; the cgroup /job has 2.00 GiB of 4.00 "
           "GiB free",
       .cure = "Raise the cgroup's limit, or leave out --original-size.",
       .exit_code = 3,
       .tested_by = "results/result_writer_test.cpp: TEST(WritingMemory, IsAskedForTheLargestResult)"},
      {.name = "DocumentsThatDoNotFit",
       .section = kSection,
       .deed = "`layerpipe export` of layers that are too large for what a container or a job has",
       .prepare = {},
       .message =
           "writing layers of 12000 × 10000 pixels takes 2.68 GiB; the cgroup /job has 2.00 GiB of 4.00 "
           "GiB free",
       .cure = "Raise the cgroup's limit, or take --format pptx,html.",
       .exit_code = 3,
       .tested_by = "results/result_writer_test.cpp: TEST(WritingMemory, IsAskedForDocuments)"},
      {.name = "MergeThatDoesNotFit",
       .section = kSection,
       .deed = "the same for `layerpipe merge`",
       .prepare = {},
       .message =
           "merging layers of 12000 × 10000 pixels takes 2.24 GiB; the cgroup /job has 2.00 GiB of 4.00 "
           "GiB free",
       .cure = "Raise the cgroup's limit.",
       .exit_code = 3,
       .tested_by = "results/result_writer_test.cpp: TEST(WritingMemory, IsAskedForAMerge)"},
      {.name = "PictureThatDoesNotFit",
       .section = kSection,
       .deed = "a picture that is too large for the memory that is free",
       .prepare = {},
       .message =
           "reading a.png, which has 12000 × 9000 pixels, takes 1.01 GiB; this machine has 100.00 MiB of "
           "400.00 MiB free",
       .cure = "Close other programs, or make the picture smaller first.",
       .exit_code = 3,
       .tested_by = "media/picture_memory_test.cpp: TEST(PictureMemory, IsAskedBeforePixelsAreRead)"},
      {.name = "GpuFull",
       .section = kSection,
       .deed = "a GPU that runs out of memory",
       .prepare = {},
       .message =
           "cuda:0 has not enough memory to denoise: 18.00 MiB more were asked for; the weights alone take "
           "38.00 GiB",
       .cure = "Close the other programs that nvidia-smi shows, or take a smaller --resolution or fewer "
               "--layers.",
       .exit_code = 3,
       .found = Found::kWhileWorking,
       .tested_by = "runtime/device/memory_errors_test.cpp: TEST(MemoryErrors, AGpuThatIsFullWhileItWorks)"},
      {"AllocationFailed",
       kSection,
       "the same, found outside of LibTorch",
       {},
       "the machine has not enough memory",
       "Close other programs, or try a smaller --resolution, fewer --layers or --dtype bf16.",
       3,
       Found::kWhileWorking,
       {},
       "session/exit_report_test.cpp: TEST(Failure, AnyAllocationThatFailed)"},
      {.name = "NoMoreThreads",
       .section = kSection,
       .deed = "a limit on processes or on memory that leaves no room for a thread",
       .prepare = {},
       .message = "the machine gives this process no more threads for denoising",
       .cure = "Close other programs, or raise the limits on processes and memory (ulimit -u, ulimit -v, a "
               "container's).",
       .exit_code = 3,
       .found = Found::kWhileWorking,
       .tested_by = "session/exit_report_test.cpp: TEST(Failure, AThreadThatCannotBeStarted)"},
  };
}

// Pictures, configs, indexes, tokenizers: whatever is read as a whole.
std::vector<RefusalCase> files() {
  const auto changed = [](const std::string& name, const std::string& deed, const std::string& message) {
    return RefusalCase{.name = name,
                       .section = kSection,
                       .deed = deed,
                       .prepare = {},
                       .message = message,
                       .cure = "Try again when nothing else writes to it.",
                       .tested_by = "common/input_file_test.cpp: TEST_F(InputFileTest, ContentIsOfOneState)"};
  };
  return {changed("FileThatChangesMeanwhile", "a file that another program writes to while it is read",
                  "FILE changed while it was read"),
          changed("FileThatBecomesShorterMeanwhile", "the same, and it becomes shorter",
                  "FILE became shorter while it was read")};
}

}  // namespace

std::vector<RefusalCase> machine_cases() {
  std::vector<RefusalCase> all = gpus();
  for (const auto& cases : {memory(), lone_processes(), files()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace layerpipe::testing
