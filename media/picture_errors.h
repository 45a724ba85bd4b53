// What the readers of all kinds of picture say alike when a file cannot be read. Standard library only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/errors.h"
#include "media/picture.h"

namespace layerpipe::media {

inline constexpr const char* kFetchAgain = "Export the picture again, or copy it again from where it came.";
inline constexpr const char* kSaveAsPng = "Save the picture as PNG and give that file.";

// The file ends before the picture does. `format` is "PNG", "JPEG" and so on.
common::InputError cut_short(const PictureFile& file, std::string_view format);

// A library cannot make sense of the content; `reason` is its name and its own words.
common::InputError damaged(const PictureFile& file, std::string_view format, std::string_view reason);

// A build without `library` cannot read the picture, which is "a WebP picture". `package` is the name with
// which Debian and Ubuntu install what is missing.
common::InputError not_built(const PictureFile& file, std::string_view kind, std::string_view library,
                             std::string_view package);

// To be called when the header is read, before memory is allocated for the pixels: a few bytes can declare,
// and even hold, gigabytes of them. Throws InputError when a side is 0 or larger than kMaxSide, or when there
// are more than file.max_pixels; DoesNotFitError when file.memory lacks what reading them takes.
void check_declared_size(const PictureFile& file, std::uint32_t width, std::uint32_t height);

// To be called before a file of so many bytes is read as a whole. Throws DoesNotFitError.
void check_file_size(const std::string& name, std::uint64_t file_bytes, const common::MemoryPool& memory);

}  // namespace layerpipe::media
