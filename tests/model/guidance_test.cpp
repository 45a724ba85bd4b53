#include "model/guidance.h"

#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_equal;

TEST(Guidance, GoesFromTheNegativeThroughTheConditional) {
  const at::Tensor conditional = at::tensor({3.0F, 1.0F}).view({1, 2});
  const at::Tensor negative = at::tensor({1.0F, 2.0F}).view({1, 2});
  const at::Tensor guided = guide(conditional, negative, 4.0, NormRescale::kOff);
  EXPECT_TRUE(is_equal(guided, at::tensor({9.0F, -2.0F}).view({1, 2})));
  EXPECT_TRUE(is_equal(guide(conditional, negative, 1.0, NormRescale::kOff), conditional));
  EXPECT_TRUE(is_equal(guide(conditional, negative, 0.0, NormRescale::kOff), negative));
}

TEST(Guidance, RoundsAfterEveryOperationInBf16) {
  // 129 − 0.75 is 128 in bf16, twice that and 0.75 more is 256. Rounded once at the end it would be 258.
  const auto bf16 = [](float value) { return at::full({1, 1}, value, at::kBFloat16); };
  EXPECT_TRUE(is_equal(guide(bf16(129.0F), bf16(0.75F), 2.0, NormRescale::kOff), bf16(256.0F)));
}

TEST(Guidance, RescaleGivesEveryTokenTheConditionalLength) {
  const at::Tensor conditional = at::tensor({3.0F, 4.0F, 0.0F, 1.0F}).view({2, 2});
  const at::Tensor negative = at::tensor({0.0F, 4.0F, 0.0F, 0.5F}).view({2, 2});
  // 0 + 2·3, 4 + 2·0: (6, 4) of length √52, to be 5; (0, 1.5), to be 1.
  const at::Tensor guided = guide(conditional, negative, 2.0, NormRescale::kOn);
  const double factor = 5.0 / std::sqrt(52.0);
  const at::Tensor expected = at::tensor({6 * factor, 4 * factor, 0.0, 1.0}, at::kDouble).view({2, 2});
  EXPECT_TRUE(at::allclose(guided.to(at::kDouble), expected, /*rtol=*/0x1p-22, /*atol=*/0.0));
}

}  // namespace
}  // namespace layerpipe::model
