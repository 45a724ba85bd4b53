// Values that are looked at on the GPU, at once and later.
#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <limits>

#include "common/errors.h"
#include "model/kernels/host_pages.h"
#include "model/weights/arrivals.h"
#include "model/weights/safetensors.h"
#include "model/weights/weights.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

class WeightStoreOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
    damaged_[777][3] = std::numeric_limits<float>::quiet_NaN();
    write_safetensors(folder_.path() / "model.safetensors", {{"a", whole_}, {"b", damaged_}, {"c", whole_}});
    source_ = std::make_shared<SafetensorsSource>(folder_.path(), "model");
    const at::Device gpu(at::kCUDA, 0);
    pages_ = std::make_shared<RegisteredPages>(gpu, registrar_for(gpu), 3 << 20, 1 << 20);
  }
  void TearDown() override {
    if (!pages_ || !kernels::can_pin_read_only(at::Device(at::kCUDA, 0))) return;
    EXPECT_GT(pages_->registered_bytes(), 0U) << "the device has copied nothing by itself";
  }
  WeightStore store() const { return {source_, at::Device(at::kCUDA, 0), at::kBFloat16}; }
  // Files of which some are copied by the device, and some are not.
  WeightStore store_out_of_pages() const { return store().out_of(pages_); }
  static std::string refusal(const std::function<void()>& deed) {
    try {
      deed();
    } catch (const common::InputError& error) {
      return error.what();
    }
    return {};
  }

  const std::vector<std::int64_t> shape_{1024, 1000};
  at::Tensor whole_ = at::randn({1024, 1000}).to(at::kBFloat16);
  at::Tensor damaged_ = whole_.clone();
  layerpipe::testing::TemporaryFolder folder_;
  std::shared_ptr<const SafetensorsSource> source_;
  std::shared_ptr<RegisteredPages> pages_;
};

TEST_F(WeightStoreOnGpu, GivesTheFilesValuesInEachWay) {
  for (const WeightStore& each :
       {store(), store().looking_later(), store_out_of_pages(), store_out_of_pages().looking_later()}) {
    EXPECT_TRUE(at::equal(each.get("a", shape_).cpu(), whole_));
    EXPECT_TRUE(at::equal(each.get("c", shape_).cpu(), whole_));
    each.check();
  }
}

TEST_F(WeightStoreOnGpu, WhatArrivesLaterIsThereBehindTheCheck) {
  for (const WeightStore& each : {store().arriving_later(), store_out_of_pages().arriving_later()}) {
    std::vector<at::Tensor> got;
    for (int i = 0; i < 200; ++i) got.push_back(each.get(i % 2 == 0 ? "a" : "c", shape_));
    each.get("a", shape_);  // and dropped
    each.check();
    for (const at::Tensor& one : got) EXPECT_TRUE(at::equal(one.cpu(), whole_));
  }
}

TEST_F(WeightStoreOnGpu, WhatIsConvertedArrivesAtOnce) {
  pages_.reset();
  const WeightStore wide = WeightStore(source_, at::Device(at::kCUDA, 0), at::kFloat).arriving_later();
  EXPECT_TRUE(at::equal(wide.get("a", shape_).cpu(), whole_.to(at::kFloat)));
  wide.check();
}

TEST_F(WeightStoreOnGpu, AStoreThatEndsEarlyLeavesItsMemoryToOthers) {
  pages_.reset();
  for (int round = 0; round < 20; ++round) {
    std::vector<at::Tensor> got;
    {
      const WeightStore ends = store().arriving_later();
      for (int i = 0; i < 40; ++i) got.push_back(ends.get("a", shape_));
      got.clear();
    }
    const at::Tensor other = at::zeros({40, 1024, 1000}, at::TensorOptions().device(at::kCUDA));
    EXPECT_EQ(other.count_nonzero().item<std::int64_t>(), 0);
  }
}

TEST_F(WeightStoreOnGpu, NamesTheDamagedTensorAtOnceOrLater) {
  const auto names_b = ::testing::HasSubstr("tensor \"b\" holds values that are not finite numbers");
  for (const WeightStore& each : {store(), store_out_of_pages()})
    EXPECT_THAT(refusal([&] { each.get("b", shape_); }), names_b);
  for (const WeightStore& each : {store().looking_later(), store_out_of_pages().looking_later(),
                                  store().arriving_later(), store_out_of_pages().arriving_later()}) {
    if (!Arrivals::takes(whole_.to(at::kCUDA))) GTEST_SKIP() << "this build has no kernels";
    EXPECT_EQ(refusal([&] {
                for (int i = 0; i < 100; ++i) each.get("a", shape_);
                each.get("b", shape_);
                each.get("a", shape_);
              }),
              "");
    EXPECT_THAT(refusal([&] { each.check(); }), names_b);
    EXPECT_EQ(refusal([&] { each.check(); }), "");
  }
}

TEST_F(WeightStoreOnGpu, AFileThatChangedIsNamedThoughTheDeviceReadIt) {
  const WeightStore late = store_out_of_pages().looking_later();
  late.get("a", shape_);
  write_safetensors(folder_.path() / "model.safetensors", {{"a", damaged_}, {"b", damaged_}, {"c", whole_}});
  EXPECT_THAT(refusal([&] {
                late.get("a", shape_);
                late.check();
              }),
              ::testing::HasSubstr("has been replaced by another file since its header was read"));
}

}  // namespace
}  // namespace layerpipe::model
