#include "media/ora_stack.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <pugixml.hpp>
#include <string_view>

#include "common/errors.h"
#include "media/picture_errors.h"
#include "media/safe_name.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr std::size_t kMaxLayers = 1000;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kShownBytes = 60;  // of a value, in messages
constexpr const char* kFlatten = "Open it in the program that it comes from and save it with plain layers.";

// What the groups around an element add up to.
struct Surroundings {
  int x = 0;
  int y = 0;
  double opacity = 1;
  int depth = 0;
};

std::string shown(std::string_view text) {
  return safe_text(text, kShownBytes);
}

class Parser {
 public:
  explicit Parser(const PictureFile& file) : file_(file) {}

  OraStack parse() {
    pugi::xml_document xml;
    const pugi::xml_parse_result result = xml.load_buffer(file_.bytes.data(), file_.bytes.size());
    if (!result) {
      throw refusal(std::string("no valid XML (pugixml: ") + result.description() + " at byte " +
                    std::to_string(result.offset) + ")");
    }
    const pugi::xml_node image = xml.child("image");
    const pugi::xml_node root = image.child("stack");
    if (!root) throw refusal("without an image that has a stack");
    read_size(image);
    // The specification allows the root stack no attributes, and MyPaint gives it the composite-op of its own
    // pigments all the same.
    add_elements(root, {});
    if (stack_.layers.empty())
      throw InputError(file_.name + " has no visible layer", "Make a layer visible and save it again.");
    // The file begins at the top.
    std::reverse(stack_.layers.begin(), stack_.layers.end());
    return std::move(stack_);
  }

 private:
  InputError refusal(const std::string& what) const {
    return InputError(file_.name + ": its stack.xml is " + what, kFetchAgain);
  }

  InputError bad_value(const pugi::xml_node& element, const pugi::xml_attribute& attribute) const {
    return InputError(file_.name + ": its stack.xml has " + attribute.name() + "=\"" +
                          shown(attribute.value()) + "\" in <" + shown(element.name()) + ">",
                      kFetchAgain);
  }

  template <typename Number>
  Number number(const pugi::xml_node& element, const char* name, Number otherwise) const {
    const pugi::xml_attribute attribute = element.attribute(name);
    if (!attribute) return otherwise;
    const std::string_view text = attribute.value();
    Number value{};
    // Neither the locale nor the length of the text matters to it.
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) throw bad_value(element, attribute);
    return value;
  }

  void read_size(const pugi::xml_node& image) {
    const auto width = number<std::uint32_t>(image, "w", 0);
    const auto height = number<std::uint32_t>(image, "h", 0);
    check_declared_size(file_, width, height);
    stack_.width = static_cast<int>(width);
    stack_.height = static_cast<int>(height);
  }

  // Sums that leave the range are refused: no program makes them.
  int offset(const pugi::xml_node& element, const char* name, int around) const {
    int sum = 0;
    if (__builtin_add_overflow(number<int>(element, name, 0), around, &sum))
      throw bad_value(element, element.attribute(name));
    return sum;
  }

  bool is_hidden(const pugi::xml_node& element) const {
    const pugi::xml_attribute attribute = element.attribute("visibility");
    const std::string_view value = attribute.as_string("visible");
    if (value != "visible" && value != "hidden") throw bad_value(element, attribute);
    return value == "hidden";
  }

  double opacity_of(const pugi::xml_node& element) const {
    const double opacity = number<double>(element, "opacity", 1);
    if (!(opacity >= 0 && opacity <= 1)) throw bad_value(element, element.attribute("opacity"));
    return opacity;
  }

  Surroundings within(const pugi::xml_node& element, const Surroundings& around) const {
    return {offset(element, "x", around.x), offset(element, "y", around.y),
            opacity_of(element) * around.opacity, around.depth + 1};
  }

  void check_operator(const pugi::xml_node& element) const {
    const std::string_view value = element.attribute("composite-op").as_string("svg:src-over");
    if (value == "svg:src-over") return;
    throw InputError(file_.name + ": " + shown(element.name()) + " \"" +
                         shown(element.attribute("name").value()) + "\" has the composite-op " +
                         shown(value) + "; only svg:src-over is read",
                     kFlatten);
  }

  void add_stack(const pugi::xml_node& stack, const Surroundings& around) {
    if (around.depth >= kMaxDepth)
      throw refusal("nested more than " + std::to_string(kMaxDepth) + " stacks deep");
    if (is_hidden(stack)) return;
    check_operator(stack);
    const std::size_t before = stack_.layers.size();
    add_elements(stack, within(stack, around));
    // One fades such a group as a whole: where its layers overlap, the lower ones do not shine through.
    const double opacity = opacity_of(stack);
    if (stack_.layers.size() - before > 1 && opacity > 0 && opacity < 1) {
      throw InputError(file_.name + ": the group \"" + shown(stack.attribute("name").value()) +
                           "\" has the opacity " + shown(stack.attribute("opacity").value()) + " and " +
                           std::to_string(stack_.layers.size() - before) +
                           " visible layers; such groups are read with one",
                       kFlatten);
    }
  }

  // What is in `stack`, from the top.
  void add_elements(const pugi::xml_node& stack, const Surroundings& inside) {
    for (const pugi::xml_node& element : stack.children()) {
      if (element.type() != pugi::node_element) continue;
      const std::string_view kind = element.name();
      if (kind == "stack") {
        add_stack(element, inside);
      } else if (kind == "layer") {
        add_layer(element, inside);
      } else if (!is_hidden(element)) {
        throw InputError(file_.name + ": its stack.xml has <" + shown(kind) + ">; only layers are read",
                         kFlatten);
      }
    }
  }

  void add_layer(const pugi::xml_node& element, const Surroundings& around) {
    if (is_hidden(element)) return;
    check_operator(element);
    const std::string_view source = element.attribute("src").value();
    if (!is_safe_entry_name(source)) {
      throw InputError(file_.name + ": its stack.xml has a layer with the source \"" + shown(source) + '"',
                       kFetchAgain);
    }
    if (stack_.layers.size() == kMaxLayers) {
      throw InputError(file_.name + " has more than " + std::to_string(kMaxLayers) + " visible layers",
                       kFlatten);
    }
    const Surroundings placed = within(element, around);
    stack_.layers.push_back({safe_text(element.attribute("name").value(), kMaxNameBytes), std::string(source),
                             placed.x, placed.y, placed.opacity});
  }

  const PictureFile& file_;
  OraStack stack_;
};

}  // namespace

OraStack parse_ora_stack(const PictureFile& file) {
  return Parser(file).parse();
}

}  // namespace layerpipe::media
