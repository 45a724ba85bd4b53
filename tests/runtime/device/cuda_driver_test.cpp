// What is read of the driver's library, from one that the tests bring along
// (tests/launch/fake_cuda_driver.cpp).
#include "runtime/device/cuda_driver.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace layerpipe::runtime {
namespace {

class CudaDriverFacts : public ::testing::Test {
 protected:
  // The one that is loaded already is found by its name.
  static void SetUpTestSuite() {
    ASSERT_NE(::dlopen(FAKE_CUDA_DRIVER, RTLD_NOW | RTLD_LOCAL), nullptr) << ::dlerror();
  }
  void SetUp() override {
    set("GPUS", "1");
    set("VERSION", "13000");
    set("CAPABILITY", "90");
    for (const char* name : {"INIT", "NAME", "UUID", "PCI"})
      ::unsetenv((std::string("FAKE_CUDA_") + name).c_str());
  }
  static void set(const std::string& name, const char* value) {
    ::setenv(("FAKE_CUDA_" + name).c_str(), value, 1);
  }
  static GpuFacts only_gpu() {
    const auto driver = query_cuda_driver();
    EXPECT_TRUE(driver && driver->failure.empty() && driver->gpus.size() == 1);
    return driver ? driver->gpus.at(0) : GpuFacts{};
  }
};

TEST_F(CudaDriverFacts, AreReadOfAGpu) {
  set("NAME", "NVIDIA H200");
  set("UUID", "10");
  set("PCI", "0000:3B:00.0");
  const GpuFacts gpu = only_gpu();
  EXPECT_EQ(gpu.name, "NVIDIA H200");
  EXPECT_EQ(gpu.capability, 90);
  EXPECT_EQ(gpu.total_bytes, std::uint64_t{16} << 30);
  EXPECT_EQ(gpu.uuid, "GPU-0a1a2a3a-4a5a-6a7a-8a9a-aabacadaeafa");
  EXPECT_EQ(gpu.pci_address, "0000:3B:00.0");
  EXPECT_FALSE(gpu.is_mig_instance);
}

TEST_F(CudaDriverFacts, TellAPartOfAGpu) {
  set("NAME", "NVIDIA H100 80GB HBM3 MIG 3g.40gb");
  EXPECT_TRUE(only_gpu().is_mig_instance);
}

TEST_F(CudaDriverFacts, AreEmptyWhereTheDriverDoesNotTell) {
  const GpuFacts gpu = only_gpu();
  EXPECT_EQ(gpu.uuid, "");
  EXPECT_EQ(gpu.pci_address, "");
}

TEST_F(CudaDriverFacts, SayWhyTheDriverDoesNotStart) {
  set("INIT", "802");
  const auto driver = query_cuda_driver();
  ASSERT_TRUE(driver);
  EXPECT_EQ(driver->failure, "the fake driver says so (error 802)");
  EXPECT_EQ(driver->version, 13000);
  EXPECT_TRUE(driver->gpus.empty());
}

}  // namespace
}  // namespace layerpipe::runtime
