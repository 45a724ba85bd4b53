#include "media/psd_reader.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "common/errors.h"
#include "common/host_memory.h"
#include "common/input_file.h"
#include "media/color_profile.h"
#include "media/picture_errors.h"
#include "media/psd_input.h"
#include "media/psd_layers.h"
#include "media/psd_rle.h"
#include "media/safe_name.h"

namespace layerpipe::media {
namespace {

enum Compression : std::uint16_t { kRaw = 0, kRunLengths = 1, kDeflated = 2, kDeflatedDifferences = 3 };

// What reading the layers needs.
struct Source {
  PictureFile file;
  int width;
  int height;
  bool is_large;
  std::optional<std::span<const std::byte>> profile;
};

common::InputError damage(const PictureFile& file, const PsdLayer& layer, const std::string& what) {
  constexpr std::size_t kShownBytes = 60;
  return psd_damaged(file, "the layer \"" + safe_text(layer.name, kShownBytes) + "\": " + what);
}

// All rows of a channel, unpacked: [height, width].
class ChannelReader {
 public:
  ChannelReader(const Source& source, const PsdLayer& layer)
      : source_(source),
        layer_(layer),
        row_bytes_(static_cast<std::size_t>(layer.width)),
        rows_(row_bytes_ * static_cast<std::size_t>(layer.height)) {}

  std::span<const std::uint8_t> read(std::span<const std::byte> stored) {
    PsdInput input(source_.file, stored);
    switch (input.u16()) {
      case kRaw:
        std::ranges::transform(input.take(rows_.size()), rows_.begin(),
                               [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
        break;
      case kRunLengths:
        read_run_lengths(input);
        break;
      case kDeflated:
        inflate(input);
        break;
      case kDeflatedDifferences:
        inflate(input);
        for (std::size_t i = 0; i < rows_.size(); ++i)
          if (i % row_bytes_ != 0) rows_[i] = static_cast<std::uint8_t>(rows_[i] + rows_[i - 1]);
        break;
      default:
        throw damage(source_.file, layer_, "an unknown compression");
    }
    return rows_;
  }

 private:
  // Behind the lengths of all rows, the rows.
  void read_run_lengths(PsdInput& input) {
    const auto height = static_cast<std::size_t>(layer_.height);
    PsdInput lengths = input.part(height * (source_.is_large ? 4 : 2));
    for (std::size_t y = 0; y < height; ++y) {
      const auto packed = input.take(source_.is_large ? lengths.u32() : lengths.u16());
      if (!unpack_row(packed, std::span(rows_).subspan(y * row_bytes_, row_bytes_)))
        throw damage(source_.file, layer_, "a row is not as long as it should be");
    }
  }

  void inflate(PsdInput& input) {
    const auto packed = input.take(input.left());
    uLongf size = rows_.size();
    const int result =
        uncompress(rows_.data(), &size, reinterpret_cast<const Bytef*>(packed.data()), packed.size());
    if (result != Z_OK || size != rows_.size()) throw damage(source_.file, layer_, "zlib cannot unpack it");
  }

  const Source& source_;
  const PsdLayer& layer_;
  std::size_t row_bytes_;
  std::vector<std::uint8_t> rows_;
};

// The part of a layer's columns or rows that lies within the document.
struct Overlap {
  int begin;  // in the document
  int end;
  Overlap(std::int64_t place, int length, int within)
      : begin(static_cast<int>(std::clamp<std::int64_t>(place, 0, within))),
        end(static_cast<int>(std::clamp<std::int64_t>(place + length, begin, within))) {}
};

Image read_layer(const Source& source, const PsdLayer& layer) {
  Picture picture{make_image(source.width, source.height), {}};
  Image& image = picture.image;
  const Overlap columns(layer.left, layer.width, source.width);
  const Overlap rows(layer.top, layer.height, source.height);
  if (columns.begin == columns.end || rows.begin == rows.end) return std::move(image);
  ChannelReader reader(source, layer);
  for (std::size_t c = 0; c < 4; ++c) {
    const auto from = layer.channels[c] ? reader.read(*layer.channels[c]) : std::span<const std::uint8_t>();
    for (int y = rows.begin; y < rows.end; ++y) {
      const std::size_t start =
          static_cast<std::size_t>(y - layer.top) * static_cast<std::size_t>(layer.width);
      for (int x = columns.begin; x < columns.end; ++x) {
        image.row(y)[4 * static_cast<std::size_t>(x) + c] =
            from.empty() ? std::uint8_t{255} : from[start + static_cast<std::size_t>(x - layer.left)];
      }
    }
  }
  if (layer.opacity != 1) {
    for (std::size_t i = 3; i < image.pixels.size(); i += 4)
      image.pixels[i] = static_cast<std::uint8_t>(std::lround(layer.opacity * image.pixels[i]));
  }
  if (source.profile) convert_to_srgb(picture, *source.profile, ColorModel::kRgb);
  return std::move(image);
}

// What is said of the profile, which does not depend on the pixels.
std::vector<std::string> profile_remarks(const Source& source) {
  Picture probe{make_image(1, 1), {}};
  if (source.profile) convert_to_srgb(probe, *source.profile, ColorModel::kRgb);
  return probe.remarks;
}

}  // namespace

PsdContent read_psd(const PictureFile& file) {
  const PsdLayers parsed = parse_psd_layers(file);
  const Source source{file, parsed.width, parsed.height, parsed.is_large, parsed.profile};
  PsdContent content;
  content.document.width = parsed.width;
  content.document.height = parsed.height;
  content.document.title = file.name;
  content.remarks = profile_remarks(source);
  for (const PsdLayer& layer : parsed.layers)
    content.document.layers.push_back({layer.name, [source, layer] { return read_layer(source, layer); }});
  return content;
}

PsdContent read_psd(const std::filesystem::path& path) {
  const common::InputFile file(path);
  check_file_size(path.string(), file.size(), common::memory_left());
  const auto bytes = std::make_shared<const common::FileContent>(file);
  PsdContent content =
      read_psd(PictureFile{bytes->bytes(), path.string(), kMaxPixels, common::memory_left()});
  content.document.title = path.stem().string();
  for (DocumentLayer& layer : content.document.layers)
    layer.read = [bytes, read = std::move(layer.read)] { return read(); };
  return content;
}

}  // namespace layerpipe::media
