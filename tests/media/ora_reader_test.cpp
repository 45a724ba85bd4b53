#include "media/ora_reader.h"

#include <functional>

#include "common/errors.h"
#include "common/files.h"
#include "tests/media/document_test_data.h"

namespace layerpipe::media {
namespace {

const ZipEntry kMimeType = {"mimetype", ZipMethod::kStored, text_content("image/openraster")};

ZipEntry stack_of(const std::string& layers, int width = 4, int height = 3) {
  return {"stack.xml", ZipMethod::kDeflated,
          text_content("<image w='" + std::to_string(width) + "' h='" + std::to_string(height) + "'><stack>" +
                       layers + "</stack></image>")};
}

// The start of a PNG that declares `width` x `height` pixels, both below 65,536.
std::string png_start(int width, int height) {
  std::string bytes("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\0\x08\6\0\0\0", 29);
  for (int i = 0; i < 2; ++i) {
    bytes[static_cast<std::size_t>(18 + i)] = static_cast<char>(width >> (8 * (1 - i)));
    bytes[static_cast<std::size_t>(22 + i)] = static_cast<char>(height >> (8 * (1 - i)));
  }
  return bytes;
}

class OraReader : public DocumentTest {
 protected:
  std::filesystem::path path() const { return folder_ / "a.ora"; }

  Document read(const std::vector<ZipEntry>& entries) {
    write_zip(path(), entries);
    return read_ora(path());
  }

  // The only layer of a document of 4 x 3 pixels: 2 x 2 pixels of noise, placed as `attributes` say.
  Image read_placed(const std::string& attributes) {
    const Document document = read({kMimeType,
                                    stack_of("<layer src='data/a.png' " + attributes + "/>"),
                                    {"data/a.png", ZipMethod::kDeflated, png_content(part_)}});
    EXPECT_EQ(document.layers.size(), 1u);
    return document.layers[0].read();
  }

  // part_, of which (left, top) lies at (x, y).
  Image expected(int x, int y, int left, int top, int width, int height) {
    Image image = make_image(4, 3);
    for (int row = 0; row < height; ++row)
      std::copy_n(part_.row(top + row) + 4 * left, 4 * width, image.row(y + row) + 4 * x);
    return image;
  }

  const Image part_ = noise_in(2, 2, {0, 0, 2, 2}, 7);
};

TEST_F(OraReader, PutsALayerAtItsOffset) {
  EXPECT_TRUE(images_equal(read_placed(""), expected(0, 0, 0, 0, 2, 2)));
  EXPECT_TRUE(images_equal(read_placed("x='2' y='1'"), expected(2, 1, 0, 0, 2, 2)));
}

TEST_F(OraReader, CutsWhatReachesOverTheEdge) {
  EXPECT_TRUE(images_equal(read_placed("x='-1' y='-1'"), expected(0, 0, 1, 1, 1, 1)));
  EXPECT_TRUE(images_equal(read_placed("x='3' y='2'"), expected(3, 2, 0, 0, 1, 1)));
  for (const char* outside : {"x='4'", "x='-2'", "y='3'", "y='-2'", "x='2147483647' y='-2147483648'"})
    EXPECT_TRUE(images_equal(read_placed(outside), make_image(4, 3))) << outside;
}

TEST_F(OraReader, CutsALayerThatIsLargerThanTheDocument) {
  const Image large = noise_in(6, 5, {0, 0, 6, 5}, 8);
  const Document document = read(
      {kMimeType, stack_of("<layer src='a' x='-1' y='-1'/>"), {"a", ZipMethod::kStored, png_content(large)}});
  EXPECT_TRUE(images_equal(document.layers[0].read(), crop(large, {1, 1, 4, 3})));
}

TEST_F(OraReader, TurnsOpacityIntoAlpha) {
  Image half = expected(0, 0, 0, 0, 2, 2);
  for (std::size_t i = 3; i < half.pixels.size(); i += 4)
    half.pixels[i] = static_cast<std::uint8_t>((half.pixels[i] + 1) / 2);
  EXPECT_TRUE(images_equal(read_placed("opacity='0.5'"), half));
  EXPECT_TRUE(content_box(read_placed("opacity='0.0'")).empty());
}

TEST_F(OraReader, LetsThreeLayersUseOnePicture) {
  const Document document =
      read({kMimeType,
            stack_of("<layer src='a' x='2'/><layer src='a'/><layer src='a' visibility='hidden'/>"),
            {"a", ZipMethod::kStored, png_content(part_)}});
  ASSERT_EQ(document.layers.size(), 2u);
  EXPECT_TRUE(images_equal(document.layers[0].read(), expected(0, 0, 0, 0, 2, 2)));
  EXPECT_TRUE(images_equal(document.layers[1].read(), expected(2, 0, 0, 0, 2, 2)));
}

TEST_F(OraReader, ReadsALayerAfterTheFileIsGone) {
  Document document =
      read({kMimeType, stack_of("<layer src='a'/>"), {"a", ZipMethod::kStored, png_content(part_)}});
  std::filesystem::remove(path());
  EXPECT_TRUE(images_equal(document.layers[0].read(), expected(0, 0, 0, 0, 2, 2)));
}

TEST_F(OraReader, ReportsAMissingFile) {
  EXPECT_THROW(read_ora(folder_ / "missing.ora"), common::InputError);
}

// A document of one layer, data/a.png, whose content is `png`; and then changed byte by byte.
struct Hostile {
  std::string name;
  std::function<std::vector<ZipEntry>()> entries;
  std::function<std::string(std::string)> change;
  std::string message;  // after the path
};

void PrintTo(const Hostile& hostile, std::ostream* out) {
  *out << hostile.name;
}

std::vector<ZipEntry> with_layer(const std::string& png) {
  return {kMimeType,
          stack_of("<layer src='data/a.png'/>"),
          {"data/a.png", ZipMethod::kStored, bytes_content(png)}};
}

std::vector<ZipEntry> good() {
  return {kMimeType,
          stack_of("<layer src='data/a.png'/>"),
          {"data/a.png", ZipMethod::kStored, png_content(noise_in(4, 3, {0, 0, 4, 3}, 1))}};
}

std::vector<ZipEntry> deflated(const std::string& png) {
  std::vector<ZipEntry> entries = with_layer(png);
  entries[2].method = ZipMethod::kDeflated;
  return entries;
}

std::string unchanged(std::string bytes) {
  return bytes;
}

// Sets two bytes of the last entry's record in the central directory, `offset` from its start; and of its
// local header, which lacks the two bytes of "version made by".
std::string with_field(std::string bytes, std::size_t offset, int value) {
  for (const bool central : {false, true}) {
    const std::size_t record = bytes.rfind(central ? "PK\x01\x02" : "PK\x03\x04");
    const std::size_t place = record + offset - (central ? 0 : 2);
    bytes[place] = static_cast<char>(value);
    bytes[place + 1] = static_cast<char>(value >> 8);
  }
  return bytes;
}

class HostileOra : public OraReader, public testing::WithParamInterface<Hostile> {};

TEST_P(HostileOra, IsRefused) {
  write_zip(path(), GetParam().entries());
  common::write_file_atomically(path(), GetParam().change(file_bytes(path())));
  try {
    for (const DocumentLayer& layer : read_ora(path()).layers) layer.read();
    FAIL() << "it was read";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), path().string() + GetParam().message);
    EXPECT_FALSE(error.remedy().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, HostileOra,
    testing::Values(
        Hostile{"Empty", good, [](std::string) { return std::string(); }, " is empty"},
        Hostile{"NoArchive", good, [](std::string) { return std::string(1000, 'x'); },
                " is no whole ZIP archive (libzip: Not a zip archive)"},
        Hostile{"CutShort", good, [](std::string bytes) { return bytes.substr(0, bytes.size() / 2); },
                " is no whole ZIP archive (libzip: Not a zip archive)"},
        Hostile{"NoMimeType",
                [] {
                  return std::vector<ZipEntry>{good()[1], good()[2]};
                },
                unchanged, " is a ZIP archive, but no OpenRaster document"},
        Hostile{"AnotherMimeType",
                [] {
                  std::vector<ZipEntry> entries = good();
                  entries[0].content = text_content("image/openraster2");
                  return entries;
                },
                unchanged, " is a ZIP archive, but no OpenRaster document"},
        Hostile{"NoStack",
                [] {
                  return std::vector<ZipEntry>{good()[0], good()[2]};
                },
                unchanged, " has no stack.xml in it"},
        Hostile{"LargeStack",
                [] {
                  std::vector<ZipEntry> entries = good();
                  entries[1].content = text_content(std::string(20 << 20, ' '));
                  return entries;
                },
                unchanged, ": stack.xml unpacks to 20971520 bytes; at most 1048576 are expected"},
        Hostile{"NoLayer",
                [] {
                  return std::vector<ZipEntry>{good()[0], good()[1]};
                },
                unchanged, " has no data/a.png in it"},
        Hostile{"LayerIsNoPng", [] { return with_layer("GIF89a, and so on and so on"); }, unchanged,
                ": data/a.png is not a PNG picture"},
        Hostile{"LayerIsEmpty", [] { return with_layer(""); }, unchanged,
                ": data/a.png is not a PNG picture"},
        Hostile{"LayerEndsEarly", [] { return with_layer(png_start(4, 3)); }, unchanged,
                ": data/a.png is cut short: the PNG in it does not end within its 29 bytes"},
        Hostile{"LayerHasLargeSide", [] { return with_layer(png_start(65520, 1)); }, unchanged,
                ": data/a.png has 65520 × 1 pixels; at most 65500 × 65500 are read"},
        Hostile{"LayerHasManyPixels", [] { return with_layer(png_start(16384, 16384)); }, unchanged,
                ": data/a.png has 16384 × 16384 pixels, 268435456 in all; at most 178956970 are read"},
        Hostile{"LayerIsABomb", [] { return deflated(png_start(4, 3) + std::string(30 << 20, '\0')); },
                unchanged, ": data/a.png unpacks to 31457309 bytes; at most 16777312 are expected"},
        Hostile{"ChangedByte", good, [](std::string bytes) { return patched(bytes, "IDAT", "IDAX"); },
                ": data/a.png is damaged (libzip: CRC error)"},
        Hostile{"Encrypted", good, [](std::string bytes) { return with_field(bytes, 8, 1); },
                ": data/a.png is encrypted, or packed by a method that is not read"},
        Hostile{"AnotherMethod", good, [](std::string bytes) { return with_field(bytes, 10, 12); },
                ": data/a.png is encrypted, or packed by a method that is not read"},
        Hostile{"SaysToBeShorter", [] { return deflated(png_start(4, 3) + std::string(1000, '\0')); },
                [](std::string bytes) { return with_field(bytes, 24, 100); },
                ": data/a.png is damaged (it is not as long as the archive says)"},
        Hostile{"SaysToBeLonger", [] { return deflated(png_start(4, 3) + std::string(1000, '\0')); },
                [](std::string bytes) { return with_field(bytes, 24, 5000); },
                ": data/a.png is damaged (it is not as long as the archive says)"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace layerpipe::media
