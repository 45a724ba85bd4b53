#include "media/psd_reader.h"

#include <zlib.h>

#include "common/errors.h"
#include "media/psd_writer.h"
#include "media/srgb_profile.h"
#include "tests/media/psd_builder.h"
#include "tests/media/psd_test_folder.h"

namespace layerpipe::media {
namespace {

using namespace std::string_literals;

std::string deflated(const std::string& text) {
  uLongf size = compressBound(text.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
           text.size());
  packed.resize(size);
  return packed;
}

Image read_first(const PsdTestDocument& document) {
  const std::string bytes = document.bytes();
  return read_psd(file_of(bytes)).document.layers.at(0).read();
}

// 4 × 3, with these pixels from its corner on.
Image with_pixels(const std::vector<std::uint8_t>& pixels, int x = 0, int y = 0) {
  Image image = make_image(4, 3);
  std::copy(pixels.begin(), pixels.end(), image.row(y) + 4 * x);
  return image;
}

const std::vector<std::uint8_t> kRed = {255, 0, 0, 255};
const std::vector<std::uint8_t> kGreen = {0, 255, 0, 128};
const std::vector<std::uint8_t> kBoth = {255, 0, 0, 255, 0, 255, 0, 128};

TEST(PsdReader, ReadsALayer) {
  const std::string bytes = PsdTestDocument{}.bytes();
  const PsdContent content = read_psd(file_of(bytes));
  EXPECT_EQ(content.document.width, 4);
  EXPECT_EQ(content.document.height, 3);
  EXPECT_EQ(content.document.title, "edited.psd");
  EXPECT_EQ(content.document.layers[0].name, "a");
  EXPECT_TRUE(images_equal(content.document.layers[0].read(), with_pixels(kBoth)));
  EXPECT_TRUE(content.remarks.empty());
}

TEST(PsdReader, CutsALayerAtTheEdges) {
  const auto at = [](int left, int top) {
    PsdTestLayer layer;
    layer.left = left;
    layer.top = top;
    return read_first({.layers = {layer}});
  };
  EXPECT_TRUE(images_equal(at(1, 2), with_pixels(kBoth, 1, 2)));
  EXPECT_TRUE(images_equal(at(-1, 0), with_pixels(kGreen)));
  EXPECT_TRUE(images_equal(at(3, 1), with_pixels(kRed, 3, 1)));
  for (const int far : {-2, 4, -2'000'000'000, 2'000'000'000}) {
    EXPECT_TRUE(images_equal(at(far, 0), make_image(4, 3))) << far;
    EXPECT_TRUE(images_equal(at(0, far), make_image(4, 3))) << far;
  }
}

TEST(PsdReader, MultipliesAlphaByTheOpacity) {
  PsdTestLayer layer;
  layer.opacity = 100;
  EXPECT_TRUE(images_equal(read_first({.layers = {layer}}), with_pixels({255, 0, 0, 100, 0, 255, 0, 50})));
}

TEST(PsdReader, TakesALayerWithoutAlphaForOpaque) {
  PsdTestLayer layer;
  layer.channels.erase(layer.channels.begin());
  EXPECT_TRUE(images_equal(read_first({.layers = {layer}}), with_pixels({255, 0, 0, 255, 0, 255, 0, 255})));
}

TEST(PsdReader, UnpacksEveryCompression) {
  const std::string run = "\0\1\0\2\xff\xff"s;            // a run of two
  const std::string literal = "\0\1\0\4\x80\1\xff\x80"s;  // nothing, then two bytes
  PsdTestLayer layer;
  layer.channels = {{-1, literal},
                    {0, "\0\2"s + deflated("\xff\0"s)},
                    {1, "\0\3"s + deflated("\0\xff"s)},
                    {2, "\0\0\0\0"s}};
  EXPECT_TRUE(images_equal(read_first({.layers = {layer}}), with_pixels(kBoth)));
  layer.channels[2].second = run;
  EXPECT_TRUE(images_equal(read_first({.layers = {layer}}), with_pixels({255, 255, 0, 255, 0, 255, 0, 128})));
}

TEST(PsdReader, AddsDifferencesRowByRow) {
  PsdTestLayer layer;
  layer.height = 2;
  for (auto& channel : layer.channels) channel.second = "\0\3"s + deflated("\1\1\5\xff"s);
  const Image image = read_first({.layers = {layer}});
  EXPECT_EQ(image.row(0)[0], 1);
  EXPECT_EQ(image.row(0)[4], 2);
  EXPECT_EQ(image.row(1)[0], 5);
  EXPECT_EQ(image.row(1)[4], 4);
}

TEST(PsdReader, ReadsLargeDocuments) {
  PsdTestLayer layer;
  layer.channels[0].second = "\0\1\0\0\0\3\1\xff\x80"s;
  EXPECT_TRUE(images_equal(read_first({.layers = {layer}, .version = 2}), with_pixels(kBoth)));
}

TEST(PsdReader, RefusesPixelsThatDoNotFit) {
  const auto refusal = [](const std::string& channel) {
    PsdTestLayer layer;
    layer.channels[1].second = channel;
    try {
      read_first({.layers = {layer}});
    } catch (const common::InputError& error) {
      return std::string(error.what());
    }
    return "none"s;
  };
  const std::string damaged = "edited.psd is a damaged Photoshop document (the layer \"a\": ";
  EXPECT_EQ(refusal("\0\4xx"s), damaged + "an unknown compression)");
  for (const std::string& row :
       {"\0\1\0\1\1"s, "\0\1\0\2\1\2"s, "\0\1\0\4\2\1\1\1"s, "\0\1\0\2\xfd\1"s, "\0\1\0\0"s})
    EXPECT_EQ(refusal(row), damaged + "a row is not as long as it should be)");
  for (const std::string& packed : {deflated("\1"s), deflated("\1\2\3"s), "noise"s, ""s})
    EXPECT_EQ(refusal("\0\2"s + packed), damaged + "zlib cannot unpack it)") << packed.size();
  for (const std::string& cut : {""s, "\0"s, "\0\0\1"s, "\0\1\0"s, "\0\1\0\2\1"s})
    EXPECT_NE(refusal(cut).find("edited.psd is cut short"), std::string::npos) << cut.size();
}

std::string profile_resource(const std::string& profile) {
  return "8BIM\x04\x0f\0\0"s + big(profile.size(), 4) + profile + std::string(profile.size() % 2, '\0');
}

TEST(PsdReader, LooksAtTheProfile) {
  const std::string srgb(reinterpret_cast<const char*>(kSrgbProfile.data()), kSrgbProfile.size());
  std::string bytes = PsdTestDocument{.resources = profile_resource(srgb)}.bytes();
  EXPECT_TRUE(images_equal(read_psd(file_of(bytes)).document.layers[0].read(), with_pixels(kBoth)));
  if (LAYERPIPE_WITH_LCMS == 0) return;
  EXPECT_TRUE(read_psd(file_of(bytes)).remarks.empty());
  bytes = PsdTestDocument{.resources = profile_resource("noise")}.bytes();
  EXPECT_EQ(read_psd(file_of(bytes)).remarks,
            std::vector<std::string>{"its colour profile was ignored: it is damaged"});
}

class PsdReaderFile : public PsdFolderTest {};

TEST_F(PsdReaderFile, ReadsWhatThePsdWriterWrites) {
  std::vector<Image> layers;
  for (unsigned i = 0; i < 3; ++i) {
    Image layer = make_image(40, 30);
    for (int y = static_cast<int>(i); y < 30; ++y)
      for (int x = static_cast<int>(3 * i); x < 40; ++x)
        for (int c = 0; c < 4; ++c)
          layer.row(y)[4 * x + c] =
              static_cast<std::uint8_t>(c == 3 ? 1 + (x * y) % 255 : x * (c + 1) + y * 7);
    layers.push_back(std::move(layer));
  }
  Document document;
  document.width = 40;
  document.height = 30;
  for (const Image& layer : layers) document.layers.push_back({"Höhle 🐙", [&layer] { return layer; }});
  write_psd(file_, document);
  const PsdContent content = read_psd(file_);
  EXPECT_EQ(content.document.title, "a");
  ASSERT_EQ(content.document.layers.size(), layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(content.document.layers[i].name, "Höhle 🐙");
    EXPECT_TRUE(images_equal(content.document.layers[i].read(), layers[i])) << i;
  }
}

TEST_F(PsdReaderFile, SaysWhyItCannotBeOpened) {
  try {
    read_psd(file_);
    FAIL() << "a file was read that is not there";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), "cannot open " + file_.string() + ": No such file or directory (errno 2)");
  }
}

}  // namespace
}  // namespace layerpipe::media
