// Folders for files that get their places later, and what writers that were killed have left.
#pragma once

#include <filesystem>
#include <vector>

namespace layerpipe::common {

// A new empty folder in `folder`. Throws OutputError.
std::filesystem::path make_part_folder(const std::filesystem::path& folder);

// What writers at work, or killed, have in a folder: files that have no names yet (common/files.h), and
// folders of make_part_folder(). remove_parts() takes both away.
std::vector<std::filesystem::path> parts_in(const std::filesystem::path& folder);

}  // namespace layerpipe::common
