// This file takes the place of color_profile.cpp in a build without Little CMS.
#include "media/color_profile.h"

namespace layerpipe::media {

void convert_to_srgb(Picture& picture, std::span<const std::byte>, ColorModel) {
  picture.remarks.emplace_back("its colour profile was ignored: this build of layerpipe has no Little CMS");
}

}  // namespace layerpipe::media
