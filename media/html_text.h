// Texts as an HTML page takes them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace layerpipe::media {

// `text` as HTML shows it, also within double quotes. A NUL would be an error in the page.
std::string html_text(std::string_view text);

// RFC 4648, section 4.
std::string base64(std::span<const std::byte> bytes);

// "'sha256-...'", of a hash in hexadecimal: how a Content-Security-Policy names a style or a script.
std::string policy_source(std::string_view sha256);

}  // namespace layerpipe::media
