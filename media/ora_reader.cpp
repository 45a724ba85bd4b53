#include "media/ora_reader.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/errors.h"
#include "common/host_memory.h"
#include "common/input_file.h"
#include "media/ora_stack.h"
#include "media/picture_errors.h"
#include "media/png_reader.h"
#include "media/safe_name.h"
#include "media/zip_reader.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr std::string_view kMimeType = "image/openraster";
// A thousand layers with long names.
constexpr std::size_t kMaxStackBytes = 1 << 20;
// A PNG's signature, and its IHDR up to the height.
constexpr std::size_t kPngStartBytes = 24;
// What a PNG may have beside its pixels: profiles, texts, packing that does not pack.
constexpr std::uint64_t kPngExtraBytes = 16 << 20;

// What messages call a layer's PNG.
std::string shown(const PictureFile& file, const std::string& source) {
  constexpr std::size_t kShownBytes = 100;
  return file.name + ": " + safe_text(source, kShownBytes);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

void check_mime_type(const ZipReader& archive, const PictureFile& file) {
  const bool there = archive.size("mimetype").has_value();
  if (there && text_of(archive.read_start("mimetype", kMimeType.size() + 1)) == kMimeType) return;
  throw InputError(file.name + " is a ZIP archive, but no OpenRaster document",
                   "Give an .ora file, as GIMP, Krita and MyPaint save it.");
}

// How many bytes the PNG of a layer may have, told from its first ones: those of its pixels in the largest
// form that there is, 16 bits a channel, and some. Also refuses what is no PNG and what is too large.
std::size_t png_limit(const ZipReader& archive, const std::string& source, const PictureFile& file) {
  const PictureFile layer{{}, shown(file, source), file.max_pixels, file.memory};
  const std::vector<std::byte> start = archive.read_start(source, kPngStartBytes);
  const std::string_view text = text_of(start);
  if (text.size() < kPngStartBytes || !text.starts_with("\x89PNG\r\n\x1a\n") ||
      text.substr(12, 4) != "IHDR") {
    throw InputError(layer.name + " is not a PNG picture",
                     "Open the document in the program that it comes from and save it with plain layers.");
  }
  const std::uint32_t width = big_endian(text.substr(16));
  const std::uint32_t height = big_endian(text.substr(20));
  check_declared_size(layer, width, height);
  return 8 * std::uint64_t{width} * height + kPngExtraBytes;
}

void fade(Image& image, double opacity) {
  if (opacity == 1) return;
  for (std::size_t i = 3; i < image.pixels.size(); i += 4)
    image.pixels[i] = static_cast<std::uint8_t>(std::lround(opacity * image.pixels[i]));
}

// `part` with its corner at `x`, `y` of a transparent picture of that size.
Image placed(const Image& part, int width, int height, std::int64_t x, std::int64_t y) {
  Image image = make_image(width, height);
  const auto left = std::max<std::int64_t>(x, 0);
  const auto right = std::min<std::int64_t>(x + part.width, width);
  const auto top = std::max<std::int64_t>(y, 0);
  const auto bottom = std::min<std::int64_t>(y + part.height, height);
  if (left >= right) return image;
  for (std::int64_t row = top; row < bottom; ++row) {
    const std::uint8_t* from = part.row(static_cast<int>(row - y)) + 4 * (left - x);
    std::copy_n(from, 4 * (right - left), image.row(static_cast<int>(row)) + 4 * left);
  }
  return image;
}

// The archive is opened anew for every layer: that costs little, keeps nothing, and lets threads read layers
// at once.
Image read_layer(const PictureFile& file, const OraStackLayer& layer, int width, int height) {
  const ZipReader archive(file.bytes, file.name);
  const std::vector<std::byte> png = archive.read(layer.source, png_limit(archive, layer.source, file));
  Image image = read_png(PictureFile{png, shown(file, layer.source), file.max_pixels, file.memory}).image;
  fade(image, layer.opacity);
  if (layer.x == 0 && layer.y == 0 && image.width == width && image.height == height) return image;
  return placed(image, width, height, layer.x, layer.y);
}

}  // namespace

Document read_ora(const PictureFile& file) {
  const ZipReader archive(file.bytes, file.name);
  check_mime_type(archive, file);
  const std::vector<std::byte> xml = archive.read("stack.xml", kMaxStackBytes);
  const OraStack stack = parse_ora_stack({xml, file.name, file.max_pixels, file.memory});
  Document document{.width = stack.width, .height = stack.height, .title = file.name};
  for (const OraStackLayer& layer : stack.layers) {
    png_limit(archive, layer.source, file);  // what can be refused before work begins is refused here
    document.layers.push_back({layer.name, [file, layer, width = stack.width, height = stack.height] {
                                 return read_layer(file, layer, width, height);
                               }});
  }
  return document;
}

Document read_ora(const std::filesystem::path& path) {
  const common::InputFile file(path);
  check_file_size(path.string(), file.size(), common::memory_left());
  const auto content = std::make_shared<const common::FileContent>(file);
  Document document =
      read_ora(PictureFile{content->bytes(), path.string(), kMaxPixels, common::memory_left()});
  document.title = path.stem().string();
  for (DocumentLayer& layer : document.layers)
    layer.read = [content, read = std::move(layer.read)] { return read(); };
  return document;
}

}  // namespace layerpipe::media
