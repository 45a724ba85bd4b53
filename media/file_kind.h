// What a file is, told from its first bytes: for messages about files that are not what was expected.
#pragma once

#include <string>
#include <string_view>

namespace layerpipe::media {

// "a JPEG picture", "a PDF document" …; empty when the bytes say nothing.
std::string describe_file_kind(std::string_view content);

}  // namespace layerpipe::media
