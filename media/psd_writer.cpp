#include "media/psd_writer.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "media/composite.h"
#include "media/content_box.h"
#include "media/psd_names.h"
#include "media/psd_output.h"
#include "media/psd_preview.h"
#include "media/psd_resources.h"
#include "media/psd_rle.h"

namespace layerpipe::media {
namespace {

constexpr int kChannels = 4;
constexpr std::uint16_t kRaw = 0;  // compressions
constexpr std::uint16_t kRle = 1;

// A channel by PSD's number for it and by its place in Image.
struct Channel {
  std::int16_t id;
  std::size_t place;
};
constexpr std::int16_t kTransparency = -1;
constexpr std::array<Channel, kChannels> kLayerChannels = {{{kTransparency, 3}, {0, 0}, {1, 1}, {2, 2}}};

// What the first reading of a document finds.
struct Summary {
  Image merged;            // straight alpha
  std::vector<Box> boxes;  // [layers], the content of each
};

void check_limits(const Document& document) {
  common::ensure(!document.layers.empty(), "a document to be written as PSD has no layer");
  check_psd_size(document.width, document.height);
  // A group takes the places of two layers.
  const std::size_t layers = document.layers.size() + 2 * document.groups.size();
  if (layers > kMaxPsdLayers) {
    throw common::InputError("PSD holds at most 32,767 layers; there are " + std::to_string(layers),
                             "Write the layers as OpenRaster (.ora), or fewer of them.");
  }
}

Summary summarize(const Document& document) {
  Compositor compositor(document.width, document.height);
  std::vector<Box> boxes;
  for (const DocumentLayer& layer : document.layers) {
    const Image image = layer.read();
    compositor.add(image);
    boxes.push_back(content_box(image));
  }
  return {compositor.picture(), std::move(boxes)};
}

void put_header(PsdOutput& out, const Document& document) {
  constexpr std::uint16_t kVersion = 1;
  constexpr std::uint16_t kBitsPerChannel = 8;
  constexpr std::uint16_t kRgb = 3;
  out.put_text("8BPS");
  out.put_u16(kVersion);
  out.put_zeros(6);
  out.put_u16(kChannels);
  out.put_u32(static_cast<std::uint32_t>(document.height));
  out.put_u32(static_cast<std::uint32_t>(document.width));
  out.put_u16(kBitsPerChannel);
  out.put_u16(kRgb);
  out.put_u32(0);  // bytes of a palette
}

// `kind` and number where the name is blank.
std::u16string name_or(const std::string& text, const std::string& kind, std::size_t index) {
  std::u16string name = psd_unicode_name(text);
  if (name.find_first_not_of(u' ') != std::u16string::npos) return name;
  return psd_unicode_name(kind + ' ' + std::to_string(index + 1));
}

// Both names, in the part of a layer's record that has room for more.
void put_names(PsdOutput& out, std::u16string_view name) {
  const std::string plain = psd_plain_name(name);
  out.put_u8(static_cast<std::uint8_t>(plain.size()));
  out.put_text(plain);
  out.put_zeros(3 - plain.size() % 4);  // to four bytes with the length before it
  out.put_text("8BIMluni");
  const std::uint64_t start = out.begin_section();
  out.put_unicode(name);
  out.end_section(start, 4);
}

// What a record stands for, by PSD's numbers for it. A group is a record without pixels above its layers, and
// another one, whose name nobody sees, that ends it below them.
enum class Section : std::uint32_t { kLayer = 0, kGroup = 1, kGroupsEnd = 3 };
constexpr std::u16string_view kNameOfGroupsEnd = u"</Layer group>";

void put_section(PsdOutput& out, Section section) {
  if (section == Section::kLayer) return;
  out.put_text("8BIMlsct");
  const std::uint64_t start = out.begin_section();
  out.put_u32(static_cast<std::uint32_t>(section));
  if (section == Section::kGroup) out.put_text("8BIMpass");
  out.end_section(start, 4);
}

// Returns where the lengths of the layer's channels are to be filled in.
std::array<std::uint64_t, kChannels> put_layer_record(PsdOutput& out, const Box& box,
                                                      std::u16string_view name, Section section) {
  constexpr std::uint8_t kOpaque = 255;
  constexpr std::uint8_t kVisible = 0x08;   // not hidden (0x02), and of a version that says so
  constexpr std::uint8_t kNoPixels = 0x10;  // they do not matter
  for (const int edge : {box.top, box.left, box.top + box.height, box.left + box.width}) {
    out.put_u32(static_cast<std::uint32_t>(edge));
  }
  std::array<std::uint64_t, kChannels> lengths{};
  out.put_u16(kChannels);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    out.put_u16(static_cast<std::uint16_t>(kLayerChannels[i].id));
    lengths[i] = out.begin_section();
  }
  out.put_text(section == Section::kGroup ? "8BIMpass" : "8BIMnorm");
  out.put_u8(kOpaque);
  out.put_u8(0);  // not clipped by the layer below
  out.put_u8(section == Section::kLayer ? kVisible : kVisible | kNoPixels);
  out.put_u8(0);
  const std::uint64_t extra = out.begin_section();
  out.put_u32(0);  // bytes of a mask
  out.put_u32(0);  // bytes of blending ranges
  put_names(out, name);
  put_section(out, section);
  out.end_section(extra);
  return lengths;
}

// Puts the rows of one channel within `box` and appends their lengths in bytes to `counts`.
void put_rows(PsdOutput& out, const Image& image, const Box& box, std::size_t place,
              std::vector<std::uint16_t>& counts) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(box.width));
  std::vector<std::uint8_t> packed;
  for (int y = 0; y < box.height; ++y) {
    const std::uint8_t* pixels = image.row(box.top + y) + 4 * static_cast<std::size_t>(box.left);
    for (std::size_t x = 0; x < row.size(); ++x) row[x] = pixels[4 * x + place];
    packed.clear();
    append_packed(row, packed);
    out.put(packed);
    counts.push_back(static_cast<std::uint16_t>(packed.size()));  // of 30,000 pixels, at most 30,235
  }
}

// Puts channels one after the other behind one table of the lengths of all their rows.
void put_rle(PsdOutput& out, const Image& image, const Box& box, std::span<const std::size_t> places) {
  out.put_u16(kRle);
  const std::uint64_t table = out.size();
  out.put_zeros(2 * places.size() * static_cast<std::uint64_t>(box.height));
  std::vector<std::uint16_t> counts;
  for (const std::size_t place : places) put_rows(out, image, box, place, counts);
  out.replace_u16s(table, counts);
}

// Of a channel without rows.
void put_no_pixels(PsdOutput& out, const std::array<std::uint64_t, kChannels>& lengths) {
  for (const std::uint64_t length : lengths) {
    out.put_u16(kRaw);  // a channel says how it is compressed all the same
    out.replace_u32(length, sizeof kRaw);
  }
}

void put_layer_pixels(PsdOutput& out, const Image& image, const Box& box,
                      const std::array<std::uint64_t, kChannels>& lengths) {
  common::ensure(content_box(image) == box, "a layer is not the same when it is read again");
  if (box.empty()) return put_no_pixels(out, lengths);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::uint64_t start = out.size();
    put_rle(out, image, box, std::span(&kLayerChannels[i].place, 1));
    out.replace_u32(lengths[i], static_cast<std::uint32_t>(out.size() - start));
  }
}

std::array<std::uint64_t, kChannels> put_record(PsdOutput& out, const Document& document,
                                                const DocumentStep& step, const std::vector<Box>& boxes) {
  using Kind = DocumentStep::Kind;
  switch (step.kind) {
    case Kind::kBeginGroup:
      return put_layer_record(out, {}, kNameOfGroupsEnd, Section::kGroupsEnd);
    case Kind::kEndGroup:
      return put_layer_record(out, {}, name_or(document.groups[step.index].name, "Group", step.index),
                              Section::kGroup);
    case Kind::kLayer:
      break;
  }
  return put_layer_record(out, boxes[step.index],
                          name_or(document.layers[step.index].name, "Layer", step.index), Section::kLayer);
}

void put_layers(PsdOutput& out, const Document& document, const std::vector<Box>& boxes) {
  const std::vector<DocumentStep> steps = document_steps(document);
  const std::uint64_t layers_and_masks = out.begin_section();
  const std::uint64_t layers = out.begin_section();
  out.put_u16(static_cast<std::uint16_t>(-static_cast<int>(steps.size())));
  std::vector<std::array<std::uint64_t, kChannels>> lengths;
  for (const DocumentStep& step : steps) lengths.push_back(put_record(out, document, step, boxes));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind == DocumentStep::Kind::kLayer) {
      const std::size_t layer = steps[i].index;
      put_layer_pixels(out, document.layers[layer].read(), boxes[layer], lengths[i]);
    } else {
      put_no_pixels(out, lengths[i]);
    }
  }
  out.end_section(layers, 2);
  out.put_u32(0);  // bytes of a mask for all layers
  out.end_section(layers_and_masks);
}

void put_merged(PsdOutput& out, Image merged) {
  constexpr std::array<std::size_t, kChannels> kPlaces = {0, 1, 2, 3};
  lay_on_white(merged);
  put_rle(out, merged, {0, 0, merged.width, merged.height}, kPlaces);
}

}  // namespace

void check_psd_size(int width, int height) {
  if (width <= kMaxPsdSide && height <= kMaxPsdSide) return;
  throw common::InputError("PSD holds at most 30,000 pixels a side; the picture has " +
                               std::to_string(width) + " × " + std::to_string(height),
                           "Make the picture smaller, or write the layers as OpenRaster (.ora).");
}

void write_psd(const std::filesystem::path& path, const Document& document) {
  check_limits(document);
  PsdOutput out(path);  // before the layers are read, which may take minutes: the folder may not be there
  Summary summary = summarize(document);
  put_header(out, document);
  put_image_resources(out, summary.merged, document.generator);
  put_layers(out, document, summary.boxes);
  put_merged(out, std::move(summary.merged));
  out.finish();
}

}  // namespace layerpipe::media
