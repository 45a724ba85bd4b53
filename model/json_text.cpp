#include "model/json_text.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/utf8.h"

namespace layerpipe::model {
namespace {

using nlohmann::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kLongestShown = 60;
constexpr std::size_t kLongestReason = 200;

// Keeps at most `most` bytes, cut between two code points. Of the control characters, JSON and nlohmann's
// messages escape all but DEL.
std::string cut(std::string text, std::size_t most) {
  std::replace(text.begin(), text.end(), '\x7f', '?');
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most) + "…";
}

// Builds the document from what nlohmann's parser reports, and stops it by an InputError.
class DocumentBuilder : public json::json_sax_t {
 public:
  DocumentBuilder(std::string_view text, const std::string& name) : text_(text), name_(name) {}
  json take() { return std::move(document_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in texts
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    const auto [place, inserted] = open_.back()->get_ref<json::object_t&>().emplace(std::move(key), nullptr);
    if (!inserted) refuse("has the key " + shown(place->first) + " twice in one object");
    member_ = &place->second;
    return true;
  }

  bool parse_error(std::size_t place, const std::string& token, const json::exception& error) override {
    if (dynamic_cast<const json::out_of_range*>(&error) != nullptr) {
      refuse("has the number " + cut(token, kLongestShown) + " in line " + std::to_string(line_of(place)) +
             ", which is too large");
    }
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …"
    const std::string reason = error.what();
    const std::size_t begin = reason.find("] ");
    refuse("is not JSON: " + cut(begin == reason.npos ? reason : reason.substr(begin + 2), kLongestReason));
  }

 private:
  [[noreturn]] void refuse(const std::string& problem) const {
    throw common::InputError(name_ + " " + problem, "Copy the file from the model's original folder again.");
  }

  std::size_t line_of(std::size_t place) const {
    const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(place, text_.size()));
    return 1 + static_cast<std::size_t>(std::count(text_.begin(), end, '\n'));
  }

  // The place where the next value belongs: the document itself, behind a key, or at the end of a list.
  json& place() {
    if (open_.empty()) return document_;
    if (open_.back()->is_array()) return open_.back()->emplace_back();
    return *member_;
  }
  template <typename Value>
  bool add(Value&& value) {
    place() = std::forward<Value>(value);
    return true;
  }
  bool open(json container) {
    if (open_.size() == kDeepestJson) {
      refuse("is nested deeper than " + std::to_string(kDeepestJson) + " levels");
    }
    json& opened = place();
    opened = std::move(container);
    open_.push_back(&opened);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& name_;
  json document_;
  std::vector<json*> open_;  // from the outside in; none moves while it is open
  json* member_ = nullptr;   // the value of the last key
};

}  // namespace

json parse_json(std::string_view text, const std::string& name) {
  if (text.starts_with(kByteOrderMark)) {
    throw common::InputError(name + " begins with a byte order mark, which is not JSON",
                             "Save the file as UTF-8 without a byte order mark (BOM).");
  }
  if (const auto offset = common::first_invalid_utf8(text)) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[*offset]));
    throw common::InputError(name + " is not UTF-8: byte " + byte + " at offset " + std::to_string(*offset),
                             "Save the file as UTF-8, or copy it from the model's original folder again.");
  }
  DocumentBuilder builder(text, name);
  json::sax_parse(text, &builder);
  return builder.take();
}

std::string shown(const json& value) {
  return cut(value.dump(-1, ' ', false, json::error_handler_t::replace), kLongestShown);
}

}  // namespace layerpipe::model
