#include "media/composite.h"

#include <cmath>
#include <random>

#include "common/errors.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

Image pixel(std::vector<std::uint8_t> rgba) {
  return {1, 1, std::move(rgba)};
}

Image compose(std::vector<Image> layers) {
  return composite(layers);
}

TEST(CompositeTest, KeepsASingleLayer) {
  Image ramp = make_image(256, 255);
  for (int alpha = 1; alpha <= 255; ++alpha) {
    for (int value = 0; value < 256; ++value) {
      const std::uint8_t rgba[4] = {static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(255 - value),
                                    7, static_cast<std::uint8_t>(alpha)};
      std::copy(rgba, rgba + 4, ramp.row(alpha - 1) + 4 * value);
    }
  }
  EXPECT_TRUE(images_equal(compose({ramp}), ramp));
}

TEST(CompositeTest, PutsTheLastLayerInFront) {
  EXPECT_TRUE(images_equal(compose({pixel({1, 2, 3, 255}), pixel({9, 8, 7, 255})}), pixel({9, 8, 7, 255})));
  EXPECT_TRUE(images_equal(compose({pixel({1, 2, 3, 255}), pixel({9, 8, 7, 0})}), pixel({1, 2, 3, 255})));
}

TEST(CompositeTest, MixesByAlpha) {
  // 0.2 · 200 + 0.8 · 100 = 120
  EXPECT_TRUE(
      images_equal(compose({pixel({100, 100, 0, 255}), pixel({200, 0, 0, 51})}), pixel({120, 80, 0, 255})));
  // Alpha 0.2 + 0.8 · 0.6 = 0.68; color (0.2 · 200 + 0.48 · 100) / 0.68 = 129.4
  EXPECT_TRUE(images_equal(compose({pixel({100, 100, 0, 153}), pixel({200, 100, 0, 51})}),
                           pixel({129, 100, 0, 173})));
}

TEST(CompositeTest, RoundsOnceAtTheEnd) {
  // 0.2 · 3 = 0.6, and 0.8 · 0.6 + 0.2 · 0 = 0.48: rounded between the layers it would be 0.8 · 1 = 0.8,
  // so 1.
  EXPECT_TRUE(images_equal(compose({pixel({0, 0, 0, 255}), pixel({3, 0, 0, 51}), pixel({0, 0, 0, 51})}),
                           pixel({0, 0, 0, 255})));
}

TEST(CompositeTest, ClearsFullyTransparentPixels) {
  EXPECT_TRUE(images_equal(compose({pixel({1, 2, 3, 0}), pixel({4, 5, 6, 0})}), pixel({0, 0, 0, 0})));
}

TEST(CompositeTest, StaysWithinHalfAStepOfTheExactValue) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Image> layers;
    double color = 0;
    double alpha = 0;
    for (int i = 0; i < 5; ++i) {
      layers.push_back(pixel(
          {static_cast<std::uint8_t>(random() & 255), 0, 0, static_cast<std::uint8_t>(random() & 255)}));
      const double layer_alpha = layers.back().pixels[3] / 255.0;
      color = layer_alpha * layers.back().pixels[0] + (1 - layer_alpha) * color;
      alpha = layer_alpha + (1 - layer_alpha) * alpha;
    }
    const Image result = composite(layers);
    if (alpha == 0) continue;
    EXPECT_NEAR(result.pixels[0], color / alpha, 0.5001);
    EXPECT_NEAR(result.pixels[3], 255 * alpha, 0.5001);
  }
}

TEST(CompositeTest, RefusesNoLayersAndDifferentSizes) {
  EXPECT_THROW(compose({}), common::InputError);
  try {
    compose({make_image(2, 3), make_image(2, 3), make_image(3, 2)});
    FAIL() << "layers of different sizes were put together";
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "layer 2 has 3 × 2 pixels, but layer 0 has 2 × 3");
    EXPECT_EQ(error.remedy(), "Layers must have one size.");
  }
  EXPECT_THROW(compose({Image{2, 2, {}}}), common::InternalError);
}

}  // namespace
}  // namespace layerpipe::media
