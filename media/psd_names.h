// Names as PSD takes them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace layerpipe::media {

// The longest name in UTF-16 units: what Photoshop itself lets a person type, and what one byte counts.
inline constexpr std::size_t kMaxPsdNameUnits = 255;

// `utf8` in UTF-16, at most kMaxPsdNameUnits and cut between code points. Controls (C0, C1, DEL, U+2028 and
// U+2029, so every kind of line end) become spaces; what is not UTF-8 becomes U+FFFD. The rest stays, slashes
// and quotes too.
std::u16string psd_unicode_name(std::string_view utf8);

// For readers that know no Unicode names: `name` with a '?' for each code point outside ASCII, on which all
// the encodings agree that those readers may use. At most kMaxPsdNameUnits bytes.
std::string psd_plain_name(std::u16string_view name);

}  // namespace layerpipe::media
