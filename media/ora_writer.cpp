#include "media/ora_writer.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "media/layer_content.h"
#include "media/png_writer.h"
#include "media/resize.h"
#include "media/safe_name.h"
#include "media/xml_text.h"
#include "media/zip_writer.h"

namespace layerpipe::media {
namespace {

constexpr int kThumbnailSide = 256;
constexpr std::size_t kMaxNameBytes = 255;
constexpr int kPixelsPerInch = 72;  // the specification's default

std::string source_of(std::size_t index) {
  return "data/layer" + std::to_string(index) + ".png";
}

Image thumbnail(const Image& image) {
  const int longest = std::max(image.width, image.height);
  if (longest <= kThumbnailSide) return image;
  const auto scaled = [longest](int side) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(side) * kThumbnailSide / longest)));
  };
  return resize_lanczos(image, scaled(image.width), scaled(image.height));
}

void add_layer(pugi::xml_node stack, const Document& document, std::size_t index, const Box& box) {
  pugi::xml_node layer = stack.append_child("layer");
  layer.append_attribute("name") = safe_text(document.layers[index].name, kMaxNameBytes).c_str();
  layer.append_attribute("src") = source_of(index).c_str();
  layer.append_attribute("x") = box.left;
  layer.append_attribute("y") = box.top;
  layer.append_attribute("opacity") = "1.0";
  layer.append_attribute("visibility") = "visible";
  layer.append_attribute("composite-op") = "svg:src-over";
}

pugi::xml_node add_group(pugi::xml_node stack, const DocumentGroup& group) {
  pugi::xml_node inner = stack.append_child("stack");
  inner.append_attribute("name") = safe_text(group.name, kMaxNameBytes).c_str();
  inner.append_attribute("opacity") = "1.0";
  inner.append_attribute("visibility") = "visible";
  inner.append_attribute("composite-op") = "svg:src-over";
  return inner;
}

// stack.xml, which lists the uppermost layer first. `boxes`: where each layer lies, from the back.
std::string stack_xml(const Document& document, std::span<const Box> boxes) {
  pugi::xml_document xml;
  add_declaration(xml);
  pugi::xml_node image = xml.append_child("image");
  image.append_attribute("version") = "0.0.3";
  image.append_attribute("w") = document.width;
  image.append_attribute("h") = document.height;
  image.append_attribute("xres") = kPixelsPerInch;
  image.append_attribute("yres") = kPixelsPerInch;
  pugi::xml_node stack = image.append_child("stack");
  const std::vector<DocumentStep> steps = document_steps(document);
  for (std::size_t i = steps.size(); i-- > 0;) {
    switch (steps[i].kind) {
      case DocumentStep::Kind::kEndGroup:  // seen from the top it begins there
        stack = add_group(stack, document.groups[steps[i].index]);
        break;
      case DocumentStep::Kind::kBeginGroup:
        stack = stack.parent();
        break;
      case DocumentStep::Kind::kLayer:
        add_layer(stack, document, steps[i].index, boxes[steps[i].index]);
        break;
    }
  }
  return xml_text(xml);
}

// What is found out while one entry is made, for the entries behind it.
struct Notes {
  std::vector<Box> boxes;  // of the layers
  std::vector<std::byte> thumbnail;
};

std::vector<std::byte> make_layer(const Document& document, std::size_t index, Notes& notes) {
  const LayerContent content = layer_content(document, index);
  notes.boxes[index] = content.box;
  return encode_png(content.image, {}, document.encoding);
}

std::vector<std::byte> make_merged(const Document& document, Notes& notes) {
  const Image merged = composite(document);
  notes.thumbnail = encode_png(thumbnail(merged), {}, document.encoding);
  return encode_png(merged, {}, document.encoding);
}

std::vector<std::byte> make_stack(const Document& document, const Notes& notes) {
  const std::string text = stack_xml(document, notes.boxes);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void write_ora(const std::filesystem::path& path, const Document& document) {
  common::ensure(!document.layers.empty(), "a document without layers is to be written");
  Notes notes;
  notes.boxes.resize(document.layers.size());
  std::vector<ZipEntry> entries;
  // The specification wants it first and stored. The order of the others is free: what is known only when the
  // layers are read comes last.
  entries.push_back({"mimetype", ZipMethod::kStored, text_content("image/openraster")});
  for (std::size_t i = 0; i < document.layers.size(); ++i) {
    entries.push_back({source_of(i), ZipMethod::kStored, [&, i] { return make_layer(document, i, notes); }});
  }
  entries.push_back({"mergedimage.png", ZipMethod::kStored, [&] { return make_merged(document, notes); }});
  entries.push_back(
      {"Thumbnails/thumbnail.png", ZipMethod::kStored, [&] { return std::move(notes.thumbnail); }});
  entries.push_back({"stack.xml", ZipMethod::kDeflated, [&] { return make_stack(document, notes); }});
  write_zip(path, entries);
}

}  // namespace layerpipe::media
