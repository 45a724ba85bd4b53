#include "media/ora_writer.h"

#include "common/errors.h"
#include "media/ora_reader.h"
#include "media/png_reader.h"
#include "media/zip_reader.h"
#include "tests/media/document_test_data.h"

namespace layerpipe::media {
namespace {

using OraWriter = DocumentTest;

Document three_layers() {
  return document_of({{"back", noise_in(40, 30, {0, 0, 40, 30}, 1)},
                      {"middle", noise_in(40, 30, {5, 7, 20, 9}, 2)},
                      {"front", noise_in(40, 30, {39, 29, 1, 1}, 3)}});
}

Image picture_in(const ZipReader& archive, const std::string& entry) {
  const std::vector<std::byte> png = archive.read(entry, 1 << 24);
  return read_png(PictureFile{png, entry}).image;
}

std::string text_in(const ZipReader& archive, const std::string& entry) {
  const std::vector<std::byte> bytes = archive.read(entry, 1 << 20);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(OraWriter, IsReadBackBitForBit) {
  const Document document = three_layers();
  write_ora(folder_ / "a.ora", document);
  const Document again = read_ora(folder_ / "a.ora");
  EXPECT_EQ(again.width, 40);
  EXPECT_EQ(again.height, 30);
  EXPECT_EQ(again.title, "a");
  ASSERT_EQ(again.layers.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again.layers[i].name, document.layers[i].name);
    EXPECT_TRUE(images_equal(again.layers[i].read(), document.layers[i].read()));
    EXPECT_TRUE(images_equal(again.layers[i].read(), document.layers[i].read())) << "the second time";
  }
}

TEST_F(OraWriter, WritesGroupsAsStacks) {
  Document document = three_layers();
  document.groups = {{"house", 0, 2}, {"door", 1, 2}};
  write_ora(folder_ / "a.ora", document);
  const std::string bytes = file_bytes(folder_ / "a.ora");
  std::string stack = text_in(ZipReader(as_bytes(bytes), "a.ora"), "stack.xml");
  const std::string same = R"( opacity="1.0" visibility="visible" composite-op="svg:src-over")";
  for (auto at = stack.find(same); at != stack.npos; at = stack.find(same)) stack.erase(at, same.size());
  EXPECT_EQ(
      stack.substr(stack.find("<stack>")),
      R"(<stack><layer name="front" src="data/layer2.png" x="39" y="29"/>)"
      R"(<stack name="house"><stack name="door"><layer name="middle" src="data/layer1.png" x="5" y="7"/></stack>)"
      R"(<layer name="back" src="data/layer0.png" x="0" y="0"/></stack></stack></image>)");
  const Document again = read_ora(folder_ / "a.ora");
  ASSERT_EQ(again.layers.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(images_equal(again.layers[i].read(), document.layers[i].read()));
}

TEST_F(OraWriter, ListsTheUppermostLayerFirst) {
  write_ora(folder_ / "a.ora", three_layers());
  const std::string bytes = file_bytes(folder_ / "a.ora");
  EXPECT_EQ(bytes.substr(30, 24), "mimetypeimage/openraster");
  EXPECT_EQ(text_in(ZipReader(as_bytes(bytes), "a.ora"), "stack.xml"),
            R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>)"
            R"(<image version="0.0.3" w="40" h="30" xres="72" yres="72"><stack>)"
            R"(<layer name="front" src="data/layer2.png" x="39" y="29" )"
            R"(opacity="1.0" visibility="visible" composite-op="svg:src-over"/>)"
            R"(<layer name="middle" src="data/layer1.png" x="5" y="7" )"
            R"(opacity="1.0" visibility="visible" composite-op="svg:src-over"/>)"
            R"(<layer name="back" src="data/layer0.png" x="0" y="0" )"
            R"(opacity="1.0" visibility="visible" composite-op="svg:src-over"/>)"
            R"(</stack></image>)");
}

TEST_F(OraWriter, AddsThePictureOfAllAndASmallOne) {
  const Document small = three_layers();
  write_ora(folder_ / "small.ora", small);
  std::string bytes = file_bytes(folder_ / "small.ora");
  EXPECT_TRUE(images_equal(picture_in(ZipReader(as_bytes(bytes), ""), "mergedimage.png"), composite(small)));
  EXPECT_TRUE(
      images_equal(picture_in(ZipReader(as_bytes(bytes), ""), "Thumbnails/thumbnail.png"), composite(small)));

  write_ora(folder_ / "wide.ora", document_of({{"", noise_in(3000, 2, {0, 0, 3000, 2}, 1)}}));
  bytes = file_bytes(folder_ / "wide.ora");
  const Image thumbnail = picture_in(ZipReader(as_bytes(bytes), ""), "Thumbnails/thumbnail.png");
  EXPECT_EQ(thumbnail.width, 256);
  EXPECT_EQ(thumbnail.height, 1);
}

TEST_F(OraWriter, KeepsEmptyLayers) {
  write_ora(folder_ / "a.ora",
            document_of({{"full", noise_in(9, 8, {0, 0, 9, 8}, 1)}, {"empty", make_image(9, 8)}}));
  const std::string bytes = file_bytes(folder_ / "a.ora");
  EXPECT_TRUE(images_equal(picture_in(ZipReader(as_bytes(bytes), ""), "data/layer1.png"), make_image(1, 1)));
  const Document again = read_ora(folder_ / "a.ora");
  ASSERT_EQ(again.layers.size(), 2u);
  EXPECT_EQ(again.layers[1].name, "empty");
  EXPECT_TRUE(images_equal(again.layers[1].read(), make_image(9, 8)));
}

TEST_F(OraWriter, WritesTheSameBytesAgain) {
  write_ora(folder_ / "a.ora", three_layers());
  write_ora(folder_ / "b.ora", three_layers());
  EXPECT_EQ(file_bytes(folder_ / "a.ora"), file_bytes(folder_ / "b.ora"));
}

TEST_F(OraWriter, TakesAnyName) {
  const Image image = noise_in(2, 2, {0, 0, 2, 2}, 1);
  const std::string octopus = "\xf0\x9f\x90\x99";
  const std::vector<std::pair<std::string, std::string>> names = {
      {"", ""},
      {"<a href=\"x\">&amp;'</a>]]>", "<a href=\"x\">&amp;'</a>]]>"},
      {"a\nb\tc", "a b c"},
      {std::string("\0\x01\x1f", 3), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"../../etc/passwd", "../../etc/passwd"},
      {octopus, octopus},
      {"\xff", "\xef\xbf\xbd"},
      {std::string(10'000, 'x'), std::string(255, 'x')},
      {"same", "same"},
      {"same", "same"},
      {"NUL", "NUL"}};
  std::vector<std::pair<std::string, Image>> layers;
  for (const auto& [given, expected] : names) layers.emplace_back(given, image);
  write_ora(folder_ / "a.ora", document_of(layers));
  const Document again = read_ora(folder_ / "a.ora");
  ASSERT_EQ(again.layers.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(again.layers[i].name, names[i].second);
}

TEST_F(OraWriter, RefusesALayerOfAnotherSizeAndLeavesNothing) {
  Document document = three_layers();
  document.layers[1].read = [] { return make_image(40, 31); };
  try {
    write_ora(folder_ / "a.ora", document);
    FAIL();
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "layer 1 has 40 × 31 pixels, but the document has 40 × 30");
  }
  EXPECT_EQ(files(), 0);
}

}  // namespace
}  // namespace layerpipe::media
