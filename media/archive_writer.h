// Writing an archive of files.
#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace layerpipe::media {

struct ArchiveFile {
  std::string name;  // within the archive, UTF-8, slashes between folders; made safe (safe_name.h) and unique
  std::filesystem::path path;
};

// Writes the ZIP archive of `files`, in their order: pictures (.png, .jpg, .jpeg, .webp) stored, everything
// else deflated. Dates and rights of the files are left behind, so that the same contents give the same
// bytes.
//
// The file appears under its name when it is complete; nothing is left otherwise. Throws OutputError when it
// cannot be written, InputError when a file is missing or may not be read, and always in a build without
// libzip. InternalError when there is no file.
void write_archive(const std::filesystem::path& path, std::span<const ArchiveFile> files);

}  // namespace layerpipe::media
