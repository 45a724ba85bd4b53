// Parsing the JSON that a user's files hold, more strictly than nlohmann-json does by itself. Internal to
// model: it shows nlohmann-json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace layerpipe::model {

// Objects and lists may be nested this deep; the files of a model need six levels. Walking over a document is
// recursive, so one of 100,000 levels would overflow the stack.
inline constexpr std::size_t kDeepestJson = 64;

// `name` is what messages call the text. Throws InputError, with the place where there is one, when the text
// - is not JSON or not UTF-8, or begins with a byte order mark,
// - has a number that is too large for a double, which would become infinite,
// - is nested deeper than kDeepestJson, or
// - has a key twice in one object, of which readers take the first or the last as they please.
nlohmann::json parse_json(std::string_view text, const std::string& name);

// A value as a message shows it: its JSON, cut after some 60 bytes. What a file holds can be long, and can
// hold characters that a terminal takes for commands, which JSON escapes.
std::string shown(const nlohmann::json& value);

}  // namespace layerpipe::model
