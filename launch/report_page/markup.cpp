#include "launch/report_page/markup.h"

#include "common/errors.h"
#include "media/html_text.h"

namespace layerpipe::launch {
namespace {

// Control characters would be errors in the page.
std::string shown(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    const bool is_control = (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == '\x7F';
    if (is_control) c = ' ';
  }
  return media::html_text(plain);
}

}  // namespace

void Markup::begin(std::string_view name, Attributes attributes) {
  page_ += '<';
  page_ += name;
  for (const auto& [attribute, value] : attributes) {
    page_ += ' ';
    page_ += attribute;
    page_ += "=\"" + shown(value) + '"';
  }
}

Markup& Markup::open(std::string_view name, Attributes attributes) {
  begin(name, attributes);
  page_ += '>';
  opened_.emplace_back(name);
  return *this;
}

Markup& Markup::close() {
  common::ensure(!opened_.empty(), "a page closes what it has not opened");
  page_ += "</" + opened_.back() + ">\n";
  opened_.pop_back();
  return *this;
}

Markup& Markup::text(std::string_view text) {
  page_ += shown(text);
  return *this;
}

Markup& Markup::element(std::string_view name, Attributes attributes, std::string_view text) {
  return open(name, attributes).text(text).close();
}

Markup& Markup::single(std::string_view name, Attributes attributes) {
  begin(name, attributes);
  page_ += "/>";
  return *this;
}

Markup& Markup::as_it_is(std::string_view text) {
  page_ += text;
  return *this;
}

std::string Markup::take() {
  while (!opened_.empty()) close();
  return std::move(page_);
}

}  // namespace layerpipe::launch
