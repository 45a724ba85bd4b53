// What the readers of picture files take and give. Standard library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/cgroup.h"
#include "media/image.h"

namespace layerpipe::media {

// The content of a file, the name that messages call it by, and how large a picture in it may be. The bytes
// belong to the caller.
struct PictureFile {
  std::span<const std::byte> bytes;
  std::string name;
  std::uint64_t max_pixels = kMaxPixels;
  std::optional<common::MemoryPool> memory{};  // what reading it has to fit into; none: it fits
};

struct Picture {
  Image image;
  // What the user should know about how the file was read, in words that follow its name and a colon:
  // "animated: only its first frame is used".
  std::vector<std::string> remarks;
};

}  // namespace layerpipe::media
