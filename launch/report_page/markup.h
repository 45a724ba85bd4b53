// Writes HTML and SVG, with every text and every attribute's value escaped.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace layerpipe::launch {

// Names of elements and attributes are ours; values and texts may be anybody's, but UTF-8.
class Markup {
 public:
  using Attributes = std::initializer_list<std::pair<std::string_view, std::string>>;

  Markup& open(std::string_view name, Attributes attributes = {});
  Markup& close();  // what was opened last
  Markup& text(std::string_view text);
  // An element with a text in it.
  Markup& element(std::string_view name, Attributes attributes, std::string_view text);
  Markup& element(std::string_view name, std::string_view text) { return element(name, {}, text); }
  // An element with nothing in it.
  Markup& single(std::string_view name, Attributes attributes);
  // A style sheet or a declaration of our own, as it is.
  Markup& as_it_is(std::string_view text);

  // The page, with everything closed.
  std::string take();

 private:
  void begin(std::string_view name, Attributes attributes);

  std::string page_;
  std::vector<std::string> opened_;
};

}  // namespace layerpipe::launch
