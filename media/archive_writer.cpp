#include "media/archive_writer.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "media/safe_name.h"
#include "media/zip_writer.h"

namespace layerpipe::media {
namespace {

// Long paths are legal, but Windows' own tools do not unpack them.
constexpr std::size_t kMaxPartBytes = 120;

// Parts that say nothing, such as "" and "..", are left out.
std::string safe_path(std::string_view name) {
  std::string path;
  for (std::size_t start = 0; start < name.size();) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    if (name.substr(start, end - start).find_first_not_of('.') != std::string_view::npos) {
      if (!path.empty()) path += '/';
      path += safe_file_name(name.substr(start, end - start), kMaxPartBytes);
    }
    start = end + 1;
  }
  return path.empty() ? safe_file_name({}) : path;
}

ZipMethod method_for(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 4> kCompressed = {".png", ".jpg", ".jpeg", ".webp"};
  const std::string extension = path.extension().string();
  return std::find(kCompressed.begin(), kCompressed.end(), extension) != kCompressed.end()
             ? ZipMethod::kStored
             : ZipMethod::kDeflated;
}

}  // namespace

void write_archive(const std::filesystem::path& path, std::span<const ArchiveFile> files) {
  constexpr std::size_t kMaxPathBytes = 0xffff;
  std::vector<ZipEntry> entries;
  std::set<std::string> folders;
  for (const ArchiveFile& file : files) {
    entries.push_back({safe_path(file.name), method_for(file.path), file.path});
    const std::string& name = entries.back().name;
    for (std::size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1))
      folders.insert(name.substr(0, end));
  }
  UniqueNames names;
  for (const std::string& folder : folders) names.add(folder, kMaxPathBytes);  // no file may have its name
  for (ZipEntry& entry : entries) entry.name = names.add(entry.name, kMaxPathBytes);
  write_zip(path, entries);
}

}  // namespace layerpipe::media
