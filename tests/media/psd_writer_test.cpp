#include "media/psd_writer.h"

#include <random>

#include "common/files.h"
#include "media/composite.h"
#include "media/jpeg_reader.h"
#include "media/psd_preview.h"
#include "media/srgb_profile.h"
#include "tests/media/psd_test_folder.h"
#include "tests/media/psd_test_reader.h"

namespace layerpipe::media {
namespace {

Document document_of(const std::vector<Image>& layers) {
  Document document;
  document.width = layers[0].width;
  document.height = layers[0].height;
  document.generator = "layerpipe test";
  for (std::size_t i = 0; i < layers.size(); ++i) {
    document.layers.push_back({"layer " + std::to_string(i), [image = layers[i]] { return image; }});
  }
  return document;
}

// Transparent but for `box`, which is noise with an alpha of 1 … 255.
Image noise_in(int width, int height, const Box& box, unsigned seed) {
  std::mt19937 random(seed);
  Image image = make_image(width, height);
  for (int y = box.top; y < box.top + box.height; ++y) {
    for (int x = box.left; x < box.left + box.width; ++x) {
      for (int c = 0; c < 4; ++c) {
        image.row(y)[4 * x + c] = static_cast<std::uint8_t>(c < 3 ? random() : 1 + random() % 255);
      }
    }
  }
  return image;
}

const std::vector<Box> kBoxes = {{0, 0, 37, 23}, {3, 5, 7, 11}, {36, 22, 1, 1}, {10, 0, 20, 4}};

std::vector<Image> noise_layers() {
  std::vector<Image> layers;
  for (std::size_t i = 0; i < kBoxes.size(); ++i) {
    layers.push_back(noise_in(37, 23, kBoxes[i], static_cast<unsigned>(i)));
  }
  return layers;
}

class PsdWriterTest : public PsdFolderTest {
 protected:
  PsdFile written(const Document& document) {
    write_psd(file_, document);
    return read_psd(file_bytes(file_));
  }
};

TEST_F(PsdWriterTest, DescribesThePicture) {
  const PsdFile file = written(document_of(noise_layers()));
  EXPECT_EQ(file.channels, 4);
  EXPECT_EQ(file.width, 37);
  EXPECT_EQ(file.height, 23);
  EXPECT_EQ(file.bits, 8);
  EXPECT_EQ(file.color_mode, 3);  // RGB
}

TEST_F(PsdWriterTest, HoldsTheLayersFromTheBackCutToTheirContent) {
  const std::vector<Image> layers = noise_layers();
  const PsdFile file = written(document_of(layers));
  EXPECT_EQ(file.layer_count, -4);
  ASSERT_EQ(file.layers.size(), layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(file.layers[i].box, kBoxes[i]);
    EXPECT_TRUE(images_equal(file.layers[i].pixels, crop(layers[i], kBoxes[i])));
    EXPECT_EQ(file.layers[i].plain_name, "layer " + std::to_string(i));
  }
}

// From the back: what ends the group, its layers, the group.
TEST_F(PsdWriterTest, HoldsGroupsAroundTheirLayers) {
  const std::vector<Image> layers = noise_layers();
  Document document = document_of(layers);
  document.groups = {{"house", 1, 3}, {"", 2, 3}};
  const PsdFile file = written(document);
  EXPECT_EQ(file.layer_count, -8);
  std::vector<std::pair<int, std::string>> found;
  for (const PsdLayer& layer : file.layers) found.emplace_back(layer.section, layer.plain_name);
  EXPECT_EQ(found, (std::vector<std::pair<int, std::string>>{{0, "layer 0"},
                                                             {3, "</Layer group>"},
                                                             {0, "layer 1"},
                                                             {3, "</Layer group>"},
                                                             {0, "layer 2"},
                                                             {1, "Group 2"},
                                                             {1, "house"},
                                                             {0, "layer 3"}}));
  for (const PsdLayer& layer : file.layers) {
    if (layer.section == 0) continue;
    EXPECT_TRUE(layer.box.empty());
    EXPECT_EQ(layer.blend_mode, layer.section == 1 ? "pass" : "norm");
    EXPECT_EQ(layer.flags, 0x18);
  }
  EXPECT_TRUE(images_equal(file.layers[4].pixels, crop(layers[2], kBoxes[2])));
  EXPECT_TRUE(images_equal(file.merged, written(document_of(layers)).merged));
}

TEST_F(PsdWriterTest, HoldsLayersThatAreVisibleAndNormal) {
  for (const PsdLayer& layer : written(document_of(noise_layers())).layers) {
    EXPECT_EQ(layer.blend_mode, "norm");
    EXPECT_EQ(layer.opacity, 255);
    EXPECT_EQ(layer.clipping, 0);
    EXPECT_EQ(layer.flags, 8);
    EXPECT_EQ(layer.channel_ids, (std::vector<int>{-1, 0, 1, 2}));
  }
}

TEST_F(PsdWriterTest, KeepsTheColorOfClearPixelsWithinTheContent) {
  const Image image{3, 1, {1, 2, 3, 255, 10, 20, 30, 0, 4, 5, 6, 255}};
  EXPECT_TRUE(images_equal(written(document_of({image})).layers[0].pixels, image));
}

TEST_F(PsdWriterTest, HoldsAnEmptyLayerWithoutPixels) {
  const std::vector<Image> layers = {make_image(5, 4), noise_in(5, 4, {1, 1, 2, 2}, 1), make_image(5, 4)};
  const PsdFile file = written(document_of(layers));
  ASSERT_EQ(file.layers.size(), 3u);
  for (const std::size_t empty : {0, 2}) {
    EXPECT_EQ(file.layers[empty].box, Box{});
    EXPECT_EQ(file.layers[empty].channel_lengths, (std::vector<std::uint32_t>(4, 2)));
  }
  EXPECT_EQ(file.layers[1].box, (Box{1, 1, 2, 2}));
}

TEST_F(PsdWriterTest, HoldsTheMergedPictureOnWhiteAndItsAlpha) {
  const std::vector<Image> layers = {noise_in(37, 23, kBoxes[1], 1), noise_in(37, 23, kBoxes[3], 2)};
  const PsdFile file = written(document_of(layers));
  Image expected = composite(layers);
  EXPECT_EQ(expected.row(22)[3], 0);  // some of it is transparent
  lay_on_white(expected);
  EXPECT_TRUE(images_equal(file.merged, expected));
  const std::vector<std::uint8_t> corner(file.merged.row(22), file.merged.row(22) + 4);
  EXPECT_EQ(corner, (std::vector<std::uint8_t>{255, 255, 255, 0}));
}

TEST_F(PsdWriterTest, NamesLayersInUnicode) {
  Document document = document_of(std::vector<Image>(6, make_image(1, 1)));
  document.layers[0].name = "Höhle/\"1\" 🎈";
  document.layers[1].name = "two\nlines";
  document.layers[2].name = std::string(10'000, 'x');
  document.layers[3].name = "";
  document.layers[4].name = "\n \t";
  document.layers[5].name = "odd";
  const PsdFile file = written(document);
  EXPECT_EQ(file.layers[0].name, u"Höhle/\"1\" 🎈");
  EXPECT_EQ(file.layers[0].plain_name, "H?hle/\"1\" ?");
  EXPECT_EQ(file.layers[1].name, u"two lines");
  EXPECT_EQ(file.layers[2].name, std::u16string(255, u'x'));
  EXPECT_EQ(file.layers[2].plain_name, std::string(255, 'x'));
  EXPECT_EQ(file.layers[3].name, u"Layer 4");
  EXPECT_EQ(file.layers[4].name, u"Layer 5");
  EXPECT_EQ(file.layers[5].name, u"odd");
}

TEST_F(PsdWriterTest, PadsNamesOfEveryLength) {
  Document document = document_of(std::vector<Image>(255, make_image(1, 1)));
  for (std::size_t i = 0; i < 255; ++i) document.layers[i].name = std::string(i + 1, 'n');
  const PsdFile file = written(document);
  for (std::size_t i = 0; i < 255; ++i) {
    EXPECT_EQ(file.layers[i].plain_name, std::string(i + 1, 'n'));
    EXPECT_EQ(file.layers[i].name, std::u16string(i + 1, u'n'));
  }
}

TEST_F(PsdWriterTest, HoldsWhatIsKnownBesidePixels) {
  const PsdFile file = written(document_of(noise_layers()));
  using namespace std::string_literals;
  EXPECT_EQ(file.resources.size(), 4u);
  EXPECT_EQ(file.resources.at(1005), "\0\x48\0\0\0\1\0\1\0\x48\0\0\0\1\0\1"s);  // 72 an inch, both ways
  EXPECT_EQ(file.resources.at(1039), std::string(kSrgbProfile.begin(), kSrgbProfile.end()));
  const std::string generator = "\0l\0a\0y\0e\0r\0p\0i\0p\0e\0 \0t\0e\0s\0t"s;
  EXPECT_EQ(file.resources.at(1057),
            "\0\0\0\1\1"s + "\0\0\0\xE"s + generator + "\0\0\0\xE"s + generator + "\0\0\0\1"s);
}

TEST_F(PsdWriterTest, HoldsAThumbnailOfTheMergedPicture) {
  Image red = make_image(400, 100);
  for (int y = 0; y < 100; ++y) {
    for (int x = 0; x < 200; ++x) {
      red.row(y)[4 * x] = 200;
      red.row(y)[4 * x + 3] = 255;
    }
  }
  const std::string content = written(document_of({red})).resources.at(1036);
  PsdBytes in({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
  EXPECT_EQ(in.number(4), 1u);  // JPEG in RGB
  EXPECT_EQ(in.number(4), 160u);
  EXPECT_EQ(in.number(4), 40u);
  EXPECT_EQ(in.number(4), 480u);  // bytes of a row
  EXPECT_EQ(in.number(4), 480u * 40);
  EXPECT_EQ(in.number(4), content.size() - 28);
  EXPECT_EQ(in.number(2), 24u);  // bits of a pixel
  EXPECT_EQ(in.number(2), 1u);   // planes
  const Image thumbnail = read_jpeg({std::as_bytes(in.take(in.size())), "thumbnail"}).image;
  EXPECT_NEAR(thumbnail.row(20)[4 * 20], 200, 4);
  EXPECT_NEAR(thumbnail.row(20)[4 * 20 + 2], 0, 4);
  EXPECT_NEAR(thumbnail.row(20)[4 * 140 + 2], 255, 4);
}

TEST_F(PsdWriterTest, WritesTheSameBytesAgain) {
  const Document document = document_of(noise_layers());
  write_psd(file_, document);
  write_psd(folder_ / "b.psd", document);
  EXPECT_EQ(file_bytes(file_), file_bytes(folder_ / "b.psd"));
}

TEST_F(PsdWriterTest, ReadsEachLayerTwiceInOrder) {
  std::vector<int> read;
  Document document = document_of({make_image(2, 2), make_image(2, 2), make_image(2, 2)});
  for (int i = 0; i < 3; ++i) {
    document.layers[static_cast<std::size_t>(i)].read = [&read, i] {
      read.push_back(i);
      return make_image(2, 2);
    };
  }
  write_psd(file_, document);
  EXPECT_EQ(read, (std::vector<int>{0, 1, 2, 0, 1, 2}));
}

TEST_F(PsdWriterTest, HoldsAsManyLayersAsPsdDoes) {
  Document document = document_of({Image{1, 1, {1, 2, 3, 4}}});
  document.layers.resize(kMaxPsdLayers, document.layers[0]);
  const PsdFile file = written(document);
  EXPECT_EQ(file.layer_count, -32767);
  EXPECT_EQ(file.layers.back().pixels, (Image{1, 1, {1, 2, 3, 4}}));
}

TEST_F(PsdWriterTest, RefusesMoreThanPsdHolds) {
  Document document = document_of({make_image(1, 1)});
  document.layers.resize(kMaxPsdLayers + 1, {"", []() -> Image { throw std::logic_error("was read"); }});
  try {
    write_psd(file_, document);
    FAIL();
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "PSD holds at most 32,767 layers; there are 32768");
    EXPECT_EQ(error.remedy(), "Write the layers as OpenRaster (.ora), or fewer of them.");
  }
  document.layers.resize(1);
  document.width = kMaxPsdSide + 1;
  try {
    write_psd(file_, document);
    FAIL();
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "PSD holds at most 30,000 pixels a side; the picture has 30001 × 1");
    EXPECT_EQ(error.remedy(), "Make the picture smaller, or write the layers as OpenRaster (.ora).");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PsdWriterTest, RefusesLayersOfAnotherSize) {
  EXPECT_THROW(write_psd(file_, document_of({make_image(2, 2), make_image(2, 3)})), common::InputError);
  EXPECT_THROW(write_psd(file_, Document{}), common::InternalError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PsdWriterTest, LeavesTheOldFileWhenALayerCannotBeRead) {
  common::write_file_atomically(file_, std::string_view("old"));
  Document document = document_of(noise_layers());
  int reads = 0;
  document.layers[2].read = [&]() -> Image {
    if (++reads == 2) throw common::InputError("gone");
    return noise_layers()[2];
  };
  EXPECT_THROW(write_psd(file_, document), common::InputError);
  EXPECT_EQ(file_bytes(file_), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(PsdWriterTest, NoticesALayerThatChanges) {
  Document document = document_of({make_image(3, 3)});
  int reads = 0;
  document.layers[0].read = [&] { return noise_in(3, 3, {reads++, 0, 1, 1}, 1); };
  EXPECT_THROW(write_psd(file_, document), common::InternalError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PsdWriterTest, ReportsAFolderThatDoesNotExistBeforeItReads) {
  Document document = document_of({make_image(1, 1)});
  document.layers[0].read = []() -> Image { throw std::logic_error("was read"); };
  EXPECT_THROW(write_psd(folder_ / "missing" / "a.psd", document), common::OutputError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PsdWriterTest, LeavesNothingOnAFullDisk) {
  const Document document = document_of(noise_layers());
  write_psd(file_, document);
  const std::string whole = file_bytes(file_);
  common::write_file_atomically(file_, std::string_view("old"));
  for (const std::size_t room : {std::size_t{0}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    const SmallDisk disk(room);
    EXPECT_THROW(write_psd(file_, document), common::OutputError) << room;
    EXPECT_EQ(file_bytes(file_), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  }
  const SmallDisk disk(whole.size());
  write_psd(file_, document);
  EXPECT_EQ(file_bytes(file_), whole);
}

}  // namespace
}  // namespace layerpipe::media
