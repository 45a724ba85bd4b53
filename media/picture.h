// What the readers of picture files take and give. Standard library only.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "media/image.h"

namespace layerpipe::media {

// The content of a file, and the name that messages call it by. The bytes belong to the caller.
struct PictureFile {
  std::span<const std::byte> bytes;
  std::string name;
};

struct Picture {
  Image image;
  // What the user should know about how the file was read, in words that follow its name and a colon:
  // "animated: only its first frame is used".
  std::vector<std::string> remarks;
};

}  // namespace layerpipe::media
