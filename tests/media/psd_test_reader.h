// Takes a PSD file apart, strictly: whatever is longer, shorter or other than the specification says is a
// std::runtime_error. Written from the specification, apart from the writer.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "media/content_box.h"
#include "media/image.h"

namespace layerpipe::media {

// One row of `width` bytes, which has to take all of `packed`.
inline std::vector<std::uint8_t> unpack(std::span<const std::uint8_t> packed, std::size_t width) {
  std::vector<std::uint8_t> row;
  while (!packed.empty()) {
    const unsigned code = packed[0];
    const std::size_t taken = code < 128 ? code + 1 : 1;
    if (code == 128) throw std::runtime_error("the code 128 in PackBits");
    if (packed.size() < 1 + taken) throw std::runtime_error("PackBits that end within a code");
    const std::size_t times = code < 128 ? 1 : 257 - code;
    for (std::size_t i = 0; i < times; ++i) {
      row.insert(row.end(), packed.begin() + 1, packed.begin() + 1 + static_cast<std::ptrdiff_t>(taken));
    }
    packed = packed.subspan(1 + taken);
  }
  if (row.size() != width) throw std::runtime_error("a row of a wrong width");
  return row;
}

struct PsdLayer {
  Box box;
  std::string blend_mode;
  int opacity = 0;
  int clipping = 0;
  int flags = 0;
  std::string plain_name;
  std::u16string name;
  int section = 0;                             // 1 of a group, 3 of what ends it
  std::vector<int> channel_ids;                // in the file's order
  std::vector<std::uint32_t> channel_lengths;  // bytes
  Image pixels;                                // of the box
};

struct PsdFile {
  int channels = 0;
  int width = 0;
  int height = 0;
  int bits = 0;
  int color_mode = 0;
  std::map<int, std::string> resources;
  int layer_count = 0;  // negative when the merged picture's fourth channel is its transparency
  std::vector<PsdLayer> layers;
  Image merged;  // as stored
};

// A cursor in the file, or in a section of it.
class PsdBytes {
 public:
  explicit PsdBytes(std::span<const std::uint8_t> rest) : rest_(rest) {}
  bool empty() const { return rest_.empty(); }
  std::size_t size() const { return rest_.size(); }

  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > rest_.size()) throw std::runtime_error("the PSD ends early");
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : take(bytes)) value = value << 8 | byte;
    return value;
  }
  int integer16() { return static_cast<std::int16_t>(number(2)); }
  int integer32() { return static_cast<std::int32_t>(number(4)); }
  std::string text(std::size_t bytes) {
    const auto taken = take(bytes);
    return {taken.begin(), taken.end()};
  }
  PsdBytes section() { return PsdBytes(take(number(4))); }
  void expect(std::string_view ascii) {
    if (text(ascii.size()) != ascii) throw std::runtime_error("no " + std::string(ascii));
  }
  void expect_zeros(std::size_t count) {
    for (const std::uint8_t byte : take(count)) {
      if (byte != 0) throw std::runtime_error("padding that is not 0");
    }
  }
  std::u16string unicode() {
    std::u16string value(number(4), u'\0');
    for (char16_t& unit : value) unit = static_cast<char16_t>(number(2));
    return value;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

// Channels that share a compression and a table of row lengths, into these places of the pixels of `image`.
inline void read_channels(PsdBytes& in, Image& image, const std::vector<std::size_t>& places) {
  if (in.number(2) != 1) throw std::runtime_error("a channel that is not in RLE");
  std::vector<std::size_t> lengths(places.size() * static_cast<std::size_t>(image.height));
  for (std::size_t& length : lengths) length = in.number(2);
  auto length = lengths.begin();
  for (const std::size_t place : places) {
    for (int y = 0; y < image.height; ++y) {
      const auto row = unpack(in.take(*length++), static_cast<std::size_t>(image.width));
      for (std::size_t x = 0; x < row.size(); ++x) image.row(y)[4 * x + place] = row[x];
    }
  }
}

inline PsdLayer read_layer_record(PsdBytes& in) {
  PsdLayer layer;
  const int top = in.integer32();
  const int left = in.integer32();
  const int bottom = in.integer32();
  const int right = in.integer32();
  layer.box = {left, top, right - left, bottom - top};
  layer.channel_ids.resize(in.number(2));
  for (int& id : layer.channel_ids) {
    id = in.integer16();
    layer.channel_lengths.push_back(in.number(4));
  }
  in.expect("8BIM");
  layer.blend_mode = in.text(4);
  layer.opacity = static_cast<int>(in.number(1));
  layer.clipping = static_cast<int>(in.number(1));
  layer.flags = static_cast<int>(in.number(1));
  in.expect_zeros(1);
  PsdBytes extra = in.section();
  if (!extra.section().empty()) throw std::runtime_error("a mask");
  if (!extra.section().empty()) throw std::runtime_error("blending ranges");
  layer.plain_name = extra.text(extra.number(1));
  extra.expect_zeros((4 - (1 + layer.plain_name.size()) % 4) % 4);
  extra.expect("8BIMluni");
  PsdBytes name = extra.section();
  if (name.size() % 4 != 0) throw std::runtime_error("a Unicode name that is not padded");
  layer.name = name.unicode();
  name.expect_zeros(name.size());
  if (!extra.empty()) {
    extra.expect("8BIMlsct");
    PsdBytes section = extra.section();
    layer.section = section.integer32();
    if (layer.section == 1) section.expect("8BIM" + layer.blend_mode);
    if (!section.empty()) throw std::runtime_error("more about a section than its kind");
  }
  if (!extra.empty()) throw std::runtime_error("more about a layer than its names and its section");
  return layer;
}

inline void read_layer_pixels(PsdBytes& in, PsdLayer& layer) {
  layer.pixels = make_image(layer.box.width, layer.box.height);
  for (std::size_t i = 0; i < layer.channel_ids.size(); ++i) {
    PsdBytes channel(in.take(layer.channel_lengths[i]));
    if (layer.box.empty()) {
      channel.expect_zeros(2);  // "raw"
    } else {
      const int id = layer.channel_ids[i];
      read_channels(channel, layer.pixels, {static_cast<std::size_t>(id == -1 ? 3 : id)});
    }
    if (!channel.empty()) throw std::runtime_error("a channel that is longer than its rows");
  }
}

inline void read_layers(PsdBytes layers_and_masks, PsdFile& file) {
  PsdBytes layers = layers_and_masks.section();
  if (layers.size() % 2 != 0) throw std::runtime_error("layers that are not padded");
  file.layer_count = layers.integer16();
  file.layers.resize(static_cast<std::size_t>(std::abs(file.layer_count)));
  for (PsdLayer& layer : file.layers) layer = read_layer_record(layers);
  for (PsdLayer& layer : file.layers) read_layer_pixels(layers, layer);
  if (layers.size() > 1) throw std::runtime_error("more than layers among the layers");
  layers.expect_zeros(layers.size());
  if (!layers_and_masks.section().empty()) throw std::runtime_error("a mask for all layers");
  if (!layers_and_masks.empty()) throw std::runtime_error("more about the layers");
}

inline PsdFile read_psd(const std::string& content) {
  PsdBytes in({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
  PsdFile file;
  in.expect("8BPS");
  if (in.number(2) != 1) throw std::runtime_error("not version 1");
  in.expect_zeros(6);
  file.channels = static_cast<int>(in.number(2));
  file.height = in.integer32();
  file.width = in.integer32();
  file.bits = static_cast<int>(in.number(2));
  file.color_mode = static_cast<int>(in.number(2));
  if (!in.section().empty()) throw std::runtime_error("a palette");
  for (PsdBytes resources = in.section(); !resources.empty();) {
    resources.expect("8BIM");
    const int id = static_cast<int>(resources.number(2));
    resources.expect_zeros(2);
    PsdBytes resource = resources.section();
    const std::size_t padding = resource.size() % 2;
    file.resources[id] = resource.text(resource.size());
    resources.expect_zeros(padding);
  }
  read_layers(in.section(), file);
  file.merged = make_image(file.width, file.height);
  read_channels(in, file.merged, {0, 1, 2, 3});
  if (!in.empty()) throw std::runtime_error("something behind the merged picture");
  return file;
}

}  // namespace layerpipe::media
