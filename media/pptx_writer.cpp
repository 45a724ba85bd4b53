#include "media/pptx_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "media/bleed.h"
#include "media/layer_content.h"
#include "media/png_writer.h"
#include "media/pptx_parts.h"
#include "media/safe_name.h"
#include "media/xml_text.h"
#include "media/zip_writer.h"

namespace layerpipe::media {
namespace {

constexpr const char* kDrawing = "http://schemas.openxmlformats.org/drawingml/2006/main";
constexpr const char* kPresentation = "http://schemas.openxmlformats.org/presentationml/2006/main";
constexpr const char* kRelations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
constexpr const char* kPackageRelations = "http://schemas.openxmlformats.org/package/2006/relationships";
constexpr const char* kNoDate = "1980-01-01T00:00:00Z";

constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxTextBytes = 2000;

constexpr std::int64_t kEmuPerInch = 914'400;
constexpr std::int64_t kEmuPerPixel = kEmuPerInch / 96;
constexpr std::int64_t kSmallestSide = kEmuPerInch;
constexpr std::int64_t kLargestSide = 56 * kEmuPerInch;

// Where pixels lie on the slide. Everything in EMU.
struct Slide {
  double pixel;
  std::int64_t width, height;
  std::int64_t left, top;  // of the picture
};

Slide slide_for(const Document& document) {
  const double shortest = std::min(document.width, document.height);
  const double longest = std::max(document.width, document.height);
  const double pixel =
      std::min(std::max<double>(kEmuPerPixel, kSmallestSide / shortest), kLargestSide / longest);
  const std::int64_t width = std::llround(pixel * document.width);
  const std::int64_t height = std::llround(pixel * document.height);
  Slide slide{pixel, std::max(width, kSmallestSide), std::max(height, kSmallestSide), 0, 0};
  slide.left = (slide.width - width) / 2;
  slide.top = (slide.height - height) / 2;
  return slide;
}

std::string number(std::size_t value) {
  return std::to_string(value);
}

std::string picture_file(std::size_t index) {
  return "media/image" + number(index + 1) + ".png";
}

// rId1 is the layout.
std::string picture_relation(std::size_t index) {
  return "rId" + number(index + 2);
}

std::string name_of(const Document& document, std::size_t index) {
  const std::string name = safe_text(document.layers[index].name, kMaxNameBytes);
  return name.empty() ? "Layer " + number(index + 1) : name;
}

std::string alternative_text(const Document& document, std::size_t index) {
  std::string text = name_of(document, index) + ": layer " + number(index + 1) + " of " +
                     number(document.layers.size()) + " from the back";
  if (!document.title.empty()) text += " of " + document.title;
  return safe_text(text, kMaxTextBytes);
}

void set_namespaces(pugi::xml_node node) {
  node.append_attribute("xmlns:a") = kDrawing;
  node.append_attribute("xmlns:r") = kRelations;
  node.append_attribute("xmlns:p") = kPresentation;
}

void add_point(pugi::xml_node parent, const char* name, std::int64_t x, std::int64_t y) {
  pugi::xml_node point = parent.append_child(name);
  point.append_attribute("x") = static_cast<long long>(x);
  point.append_attribute("y") = static_cast<long long>(y);
}

void add_extent(pugi::xml_node parent, const char* name, std::int64_t width, std::int64_t height) {
  pugi::xml_node extent = parent.append_child(name);
  extent.append_attribute("cx") = static_cast<long long>(width);
  extent.append_attribute("cy") = static_cast<long long>(height);
}

std::string presentation_xml(const Slide& slide) {
  pugi::xml_document xml;
  add_declaration(xml);
  pugi::xml_node presentation = xml.append_child("p:presentation");
  set_namespaces(presentation);
  pugi::xml_node master = presentation.append_child("p:sldMasterIdLst").append_child("p:sldMasterId");
  master.append_attribute("id") = "2147483648";
  master.append_attribute("r:id") = "rId1";
  pugi::xml_node first = presentation.append_child("p:sldIdLst").append_child("p:sldId");
  first.append_attribute("id") = "256";
  first.append_attribute("r:id") = "rId2";
  add_extent(presentation, "p:sldSz", slide.width, slide.height);
  add_extent(presentation, "p:notesSz", 6'858'000, 9'144'000);
  return xml_text(xml);
}

std::string group_name(const Document& document, std::size_t group) {
  const std::string name = safe_text(document.groups[group].name, kMaxNameBytes);
  return name.empty() ? "Group " + number(group + 1) : name;
}

// Edges are rounded, not lengths, so that neighbours meet.
std::int64_t edge(const Slide& slide, int pixels) {
  return std::llround(slide.pixel * pixels);
}

void add_place(pugi::xml_node place, const Slide& slide, const Box& box, const char* corner,
               const char* size) {
  add_point(place, corner, slide.left + edge(slide, box.left), slide.top + edge(slide, box.top));
  add_extent(place, size, edge(slide, box.left + box.width) - edge(slide, box.left),
             edge(slide, box.top + box.height) - edge(slide, box.top));
}

// The smallest box that holds all of these.
Box around(std::span<const Box> boxes) {
  Box all = boxes.front();
  for (const Box& box : boxes) {
    const int right = std::max(all.left + all.width, box.left + box.width);
    const int bottom = std::max(all.top + all.height, box.top + box.height);
    all.left = std::min(all.left, box.left);
    all.top = std::min(all.top, box.top);
    all.width = right - all.left;
    all.height = bottom - all.top;
  }
  return all;
}

// A group of shapes, whose inner coordinates are those of the slide. `boxes`: where each layer lies.
pugi::xml_node add_group(pugi::xml_node tree, const Document& document, std::size_t index, const Slide& slide,
                         std::span<const Box> boxes) {
  const DocumentGroup& group = document.groups[index];
  pugi::xml_node shape = tree.append_child("p:grpSp");
  pugi::xml_node about = shape.append_child("p:nvGrpSpPr");
  pugi::xml_node properties = about.append_child("p:cNvPr");
  properties.append_attribute("id") = number(document.layers.size() + index + 2).c_str();
  properties.append_attribute("name") = group_name(document, index).c_str();
  about.append_child("p:cNvGrpSpPr");
  about.append_child("p:nvPr");
  pugi::xml_node place = shape.append_child("p:grpSpPr").append_child("a:xfrm");
  const Box box = around(boxes.subspan(group.begin, group.end - group.begin));
  add_place(place, slide, box, "a:off", "a:ext");
  add_place(place, slide, box, "a:chOff", "a:chExt");
  return shape;
}

void add_picture(pugi::xml_node tree, const Document& document, std::size_t index, const Slide& slide,
                 const Box& box) {
  pugi::xml_node picture = tree.append_child("p:pic");
  pugi::xml_node about = picture.append_child("p:nvPicPr");
  pugi::xml_node properties = about.append_child("p:cNvPr");
  properties.append_attribute("id") = number(index + 2).c_str();  // 1 is the tree
  properties.append_attribute("name") = name_of(document, index).c_str();
  properties.append_attribute("descr") = alternative_text(document, index).c_str();
  about.append_child("p:cNvPicPr").append_child("a:picLocks").append_attribute("noChangeAspect") = "1";
  about.append_child("p:nvPr");
  pugi::xml_node fill = picture.append_child("p:blipFill");
  fill.append_child("a:blip").append_attribute("r:embed") = picture_relation(index).c_str();
  fill.append_child("a:stretch").append_child("a:fillRect");
  pugi::xml_node shape = picture.append_child("p:spPr");
  add_place(shape.append_child("a:xfrm"), slide, box, "a:off", "a:ext");
  pugi::xml_node geometry = shape.append_child("a:prstGeom");
  geometry.append_attribute("prst") = "rect";
  geometry.append_child("a:avLst");
}

// `boxes`: where each layer lies.
std::string slide_xml(const Document& document, const Slide& slide, std::span<const Box> boxes) {
  pugi::xml_document xml;
  add_declaration(xml);
  pugi::xml_node root = xml.append_child("p:sld");
  set_namespaces(root);
  pugi::xml_node tree = root.append_child("p:cSld").append_child("p:spTree");
  pugi::xml_node about = tree.append_child("p:nvGrpSpPr");
  pugi::xml_node properties = about.append_child("p:cNvPr");
  properties.append_attribute("id") = "1";
  properties.append_attribute("name") = "";
  about.append_child("p:cNvGrpSpPr");
  about.append_child("p:nvPr");
  pugi::xml_node place = tree.append_child("p:grpSpPr").append_child("a:xfrm");
  add_point(place, "a:off", 0, 0);
  add_extent(place, "a:ext", 0, 0);
  add_point(place, "a:chOff", 0, 0);
  add_extent(place, "a:chExt", 0, 0);
  for (const DocumentStep& step : document_steps(document)) {
    switch (step.kind) {
      case DocumentStep::Kind::kBeginGroup:
        tree = add_group(tree, document, step.index, slide, boxes);
        break;
      case DocumentStep::Kind::kEndGroup:
        tree = tree.parent();
        break;
      case DocumentStep::Kind::kLayer:
        add_picture(tree, document, step.index, slide, boxes[step.index]);
        break;
    }
  }
  root.append_child("p:clrMapOvr").append_child("a:masterClrMapping");
  return xml_text(xml);
}

void add_relation(pugi::xml_node parent, const std::string& id, const char* type, const std::string& target) {
  pugi::xml_node relation = parent.append_child("Relationship");
  relation.append_attribute("Id") = id.c_str();
  relation.append_attribute("Type") = (std::string(kRelations) + '/' + type).c_str();
  relation.append_attribute("Target") = target.c_str();
}

std::string slide_relations(std::size_t layers) {
  pugi::xml_document xml;
  add_declaration(xml);
  pugi::xml_node root = xml.append_child("Relationships");
  root.append_attribute("xmlns") = kPackageRelations;
  add_relation(root, "rId1", "slideLayout", "../slideLayouts/slideLayout1.xml");
  for (std::size_t i = 0; i < layers; ++i)
    add_relation(root, picture_relation(i), "image", "../" + picture_file(i));
  return xml_text(xml);
}

std::string description(const Document& document) {
  std::string text;
  for (const auto& [key, value] : document.parameters) {
    if (!text.empty()) text += "; ";
    text.append(key).append(": ").append(value);
  }
  return safe_text(text, kMaxTextBytes);
}

std::string core_properties(const Document& document) {
  pugi::xml_document xml;
  add_declaration(xml);
  pugi::xml_node root = xml.append_child("cp:coreProperties");
  root.append_attribute("xmlns:cp") =
      "http://schemas.openxmlformats.org/package/2006/metadata/core-properties";
  root.append_attribute("xmlns:dc") = "http://purl.org/dc/elements/1.1/";
  root.append_attribute("xmlns:dcterms") = "http://purl.org/dc/terms/";
  root.append_attribute("xmlns:xsi") = "http://www.w3.org/2001/XMLSchema-instance";
  const auto add = [&root](const char* name, const std::string& text) {
    pugi::xml_node node = root.append_child(name);
    node.text() = text.c_str();
    return node;
  };
  add("dc:title", safe_text(document.title, kMaxNameBytes));
  add("dc:creator", safe_text(document.generator, kMaxNameBytes));
  add("dc:description", description(document));
  for (const char* name : {"dcterms:created", "dcterms:modified"})
    add(name, kNoDate).append_attribute("xsi:type") = "dcterms:W3CDTF";
  return xml_text(xml);
}

std::vector<std::byte> make_picture(const Document& document, std::size_t index, std::vector<Box>& boxes) {
  LayerContent content = layer_content(document, index);
  boxes[index] = content.box;
  bleed_colors(content.image);
  return encode_png(content.image, {}, document.encoding);
}

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void write_pptx(const std::filesystem::path& path, const Document& document) {
  common::ensure(!document.layers.empty(), "a document without layers is to be written");
  const Slide slide = slide_for(document);
  std::vector<Box> boxes(document.layers.size());
  std::vector<ZipEntry> entries;
  const auto add_text = [&entries](std::string_view name, std::string_view text) {
    entries.push_back({std::string(name), ZipMethod::kDeflated, text_content(text)});
  };
  for (const PptxPart& part : fixed_pptx_parts()) add_text(part.name, part.text);
  add_text("docProps/core.xml", core_properties(document));
  add_text("ppt/presentation.xml", presentation_xml(slide));
  add_text("ppt/slides/_rels/slide1.xml.rels", slide_relations(document.layers.size()));
  for (std::size_t i = 0; i < document.layers.size(); ++i) {
    entries.push_back(
        {"ppt/" + picture_file(i), ZipMethod::kStored, [&, i] { return make_picture(document, i, boxes); }});
  }
  // Behind the pictures, because where they lie is known when they are read.
  entries.push_back({"ppt/slides/slide1.xml", ZipMethod::kDeflated,
                     [&] { return bytes_of(slide_xml(document, slide, boxes)); }});
  write_zip(path, entries);
}

}  // namespace layerpipe::media
