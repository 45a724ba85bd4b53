#include "model/latents.h"

#include <ATen/CPUGeneratorImpl.h>

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "model/weights/safetensors.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_equal;
using Json = nlohmann::json;

Json read_json(const char* name) {
  return Json::parse(common::read_text_file(layerpipe::testing::test_data() / "parity" / name));
}

TEST(WorkingSize, EqualsDiffusers) {
  const Json sizes = read_json("sizes.json");
  ASSERT_GE(sizes.at("sizes").size(), 200U);
  for (const Json& row : sizes.at("sizes")) {
    const common::Size size = working_size({row.at(0), row.at(1)}, row.at(2));
    EXPECT_EQ(size, (common::Size{row.at(3), row.at(4)})) << row;
  }
}

TEST(Noise, EqualsDiffusersBitForBit) {
  const SafetensorsFile file(layerpipe::testing::test_data() / "parity" / "noise.safetensors");
  const Json draws = read_json("noise.json");
  int packed = 0;
  for (const Json& draw : draws.at("draws")) {
    const auto key = draw.at("key").get<std::string>();
    const auto shape = draw.at("shape").get<std::vector<std::int64_t>>();
    const auto seed = draw.at("seed").get<std::uint64_t>();
    const auto dtype = draw.at("dtype") == "bf16" ? at::kBFloat16 : at::kFloat;
    const at::Tensor expected = file.read(key);
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>();
    generator.set_current_seed(seed);
    EXPECT_TRUE(is_equal(at::randn(shape, generator, at::TensorOptions().dtype(dtype)), expected)) << key;
    if (shape.size() != 5) continue;
    ++packed;
    EXPECT_TRUE(is_equal(draw_noise({shape[1], shape[2], shape[3], shape[4]}, seed, SeedDevice::kCpu, dtype),
                         pack_latents(expected.squeeze(0))))
        << key;
  }
  EXPECT_EQ(packed, 6);
}

TEST(PackLatents, ATokenIsAPatchChannelMajor) {
  // The value tells where it was: frame, channel, row, column.
  const auto place = [](std::int64_t f, std::int64_t c, std::int64_t y, std::int64_t x) {
    return static_cast<float>(1000 * f + 100 * c + 10 * y + x);
  };
  at::Tensor latents = at::empty({2, 3, 4, 6});
  for (std::int64_t f = 0; f < 2; ++f)
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t y = 0; y < 4; ++y)
        for (std::int64_t x = 0; x < 6; ++x) latents[f][c][y][x] = place(f, c, y, x);
  const at::Tensor packed = pack_latents(latents);
  ASSERT_EQ(packed.sizes(), at::IntArrayRef({2 * 2 * 3, 12}));
  // Frame 1, second row of tokens, third column.
  const at::Tensor token = packed[6 + 3 + 2];
  for (std::int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(token[i].item<float>(), place(1, i / 4, 2 + i % 4 / 2, 4 + i % 2)) << i;
  }
  EXPECT_TRUE(is_equal(unpack_latents(packed, {.frames = 2, .height = 2, .width = 3}), latents));
}

TEST(PictureToTensor, EndsAreMinusOneAndOne) {
  at::Tensor rgba = at::zeros({2, 3, 4}, at::kByte);
  rgba[0][1][2] = 255;
  rgba[1][2][3] = 51;
  const at::Tensor tensor = picture_to_tensor(rgba);
  EXPECT_EQ(tensor.sizes(), at::IntArrayRef({1, 4, 2, 3}));
  EXPECT_EQ(tensor.scalar_type(), at::kFloat);
  EXPECT_EQ(tensor[0][0][0][0].item<float>(), -1.0F);
  EXPECT_EQ(tensor[0][2][0][1].item<float>(), 1.0F);
  EXPECT_EQ(tensor[0][3][1][2].item<float>(), 51.0F / 255.0F * 2.0F - 1.0F);
}

TEST(TensorToPictures, UndoesPictureToTensor) {
  const at::Tensor rgba = at::arange(256, at::kInt).to(at::kByte).view({8, 8, 4});
  EXPECT_TRUE(is_equal(tensor_to_pictures(picture_to_tensor(rgba)), rgba.unsqueeze(0)));
}

TEST(TensorToPictures, RoundsHalfToEvenAndClamps) {
  // 0 is 127.5, which goes to the even 128; ±0.75 are 223.125 and 31.875.
  const at::Tensor values = at::tensor({0.0F, 1.5F, -1.5F, 1.0F, -1.0F, 0.75F, -0.75F});
  const at::Tensor expected = at::tensor({128, 255, 0, 255, 0, 223, 32}, at::kByte);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor pictures = tensor_to_pictures(values.to(dtype).view({1, 1, 1, 7}));
    EXPECT_TRUE(is_equal(pictures, expected.view({1, 1, 7, 1}))) << dtype;
  }
  // These are halves exactly, also after the way through −1 … 1: one goes down, one up.
  for (const auto& [value, rounded] : {std::pair(64.5F, 64), std::pair(65.5F, 66)}) {
    const float unit = value / 255.0F;
    ASSERT_EQ(((unit * 2.0F - 1.0F) * 0.5F + 0.5F) * 255.0F, value);
    EXPECT_EQ(tensor_to_pictures(at::full({1, 1, 1, 1}, unit * 2.0F - 1.0F)).item<int>(), rounded);
  }
}

TEST(TensorToPictures, PutsChannelsLast) {
  const at::Tensor decoded = at::rand({3, 4, 5, 6}) * 2 - 1;
  const at::Tensor pictures = tensor_to_pictures(decoded);
  ASSERT_EQ(pictures.sizes(), at::IntArrayRef({3, 5, 6, 4}));
  ASSERT_TRUE(pictures.is_contiguous());
  EXPECT_TRUE(is_equal(pictures[1].select(2, 3), tensor_to_pictures(decoded.narrow(1, 3, 1))[1].squeeze(2)));
}

}  // namespace
}  // namespace layerpipe::model
