// A GPU that copies out of the page cache.
#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "model/kernels/host_pages.h"
#include "model/weights/registered_pages.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

TEST(RegisteredPagesOnGpu, GiveTheBytesOfTheFile) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
  if (!kernels::can_pin_read_only(at::Device(at::kCUDA, 0)))
    GTEST_SKIP() << "the driver pins no pages that are mapped read-only";
  constexpr std::int64_t kBytes = (std::int64_t{5} << 20) + 123;
  constexpr std::uint64_t kWindow = 1 << 20;
  const at::Device gpu(at::kCUDA, 0);
  const layerpipe::testing::TemporaryFolder folder;
  const at::Tensor content = at::randint(0, 256, {kBytes}, at::TensorOptions().dtype(at::kByte));
  const auto path = folder.path() / "weights";
  common::write_file_atomically(
      path, {static_cast<const char*>(content.const_data_ptr()), static_cast<std::size_t>(kBytes)});
  const common::InputFile file(path);
  RegisteredPages pages(gpu, registrar_for(gpu), 4 * kWindow, kWindow);
  const auto comes = [&](std::int64_t begin, std::int64_t count) {
    const at::Tensor to = at::empty({count}, content.options().device(gpu));
    if (!pages.copy(file, static_cast<std::uint64_t>(begin), to)) return false;
    EXPECT_TRUE(at::equal(to.cpu(), content.narrow(0, begin, count))) << begin;
    return true;
  };
  EXPECT_TRUE(comes(0, 10));
  EXPECT_TRUE(comes(1'000'001, 2'500'000));
  EXPECT_EQ(pages.registered_bytes(), 4 * kWindow);
  EXPECT_FALSE(comes(kBytes - 100, 100)) << "above the limit";
  EXPECT_TRUE(comes(17, 1'000'000));
}

}  // namespace
}  // namespace layerpipe::model
