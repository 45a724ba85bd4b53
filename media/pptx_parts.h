// The parts of a presentation that are the same in each. Only pptx_writer.cpp includes it.
#pragma once

#include <span>
#include <string_view>

namespace layerpipe::media {

struct PptxPart {
  std::string_view name;  // within the archive
  std::string_view text;
};

// [Content_Types].xml first, as the packaging convention likes it.
std::span<const PptxPart> fixed_pptx_parts();

}  // namespace layerpipe::media
