// What the machine lacks.
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {

std::vector<RefusalCase> machine_cases() {
  const std::string section = "The machine";
  // A GPU is hidden where there is one.
  const auto without_gpu = [](const std::string& option) {
    return [option](Workplace& w) {
      w.set_environment("CUDA_VISIBLE_DEVICES=");
      w.set(option, "cuda");
    };
  };
  return {
      {"NoGpu", section, "`--device cuda` without a GPU", without_gpu("--device"),
       "--device cuda: there is no GPU that this LibTorch can use",
       "Check with nvidia-smi, or take --device cpu."},
      {"NoGpuForTheNoise", section, "`--seed-device cuda` without a GPU", without_gpu("--seed-device"),
       "--seed-device cuda needs a GPU", "Take --seed-device cpu."},
      {"MachineOutOfMemory", section, "a machine without enough memory",
       // A VAE of a size that no machine has: its first large tensor is more than an address space.
       [](Workplace& w) {
         w.patch_json("model/vae/config.json", R"({"base_dim": 65536, "dim_mult": [4096, 2, 2, 64]})");
         w.add({"--random-weights"});
       },
       "the machine has not enough memory for encoding: 884736.00 GiB more were asked for",
       "Close other programs, or try a smaller --resolution, fewer --layers or --dtype bf16.", 3,
       Found::kWhileWorking},
      {"AllocationFailed",
       section,
       "a machine without enough memory, found outside of LibTorch",
       {},
       "the machine has not enough memory",
       "Close other programs, or try a smaller --resolution, fewer --layers or --dtype bf16.",
       3,
       Found::kWhileWorking,
       {},
       "launch/failure_test.cpp: TEST(Failure, AnyAllocationThatFailed)"},
  };
}

}  // namespace layerpipe::testing
