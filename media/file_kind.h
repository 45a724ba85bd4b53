// What a file is, told from its first bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace layerpipe::media {

enum class PictureFormat { kPng, kJpeg, kWebp, kHeic, kAvif, kTiff, kGif, kBmp };

// The reader to ask; nothing when there is none for such a file. The beginning of one's first bytes,
// with nothing after it, counts as a picture that was cut.
std::optional<PictureFormat> picture_format_of(std::string_view content);

// For messages about files that are not what was expected: "a JPEG picture", "a PDF document" …; empty when
// the bytes say nothing.
std::string describe_file_kind(std::string_view content);

}  // namespace layerpipe::media
