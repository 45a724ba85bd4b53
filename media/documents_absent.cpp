// In place of the writers and readers of documents that are ZIP archives, in a build without libzip and
// pugixml.
#include <string>

#include "common/errors.h"
#include "media/archive_writer.h"
#include "media/zip_writer.h"

namespace layerpipe::media {
namespace {

common::InputError absent(const std::string& what) {
  return common::InputError("this layerpipe was built without libzip and pugixml, and cannot " + what,
                            "Install both (Debian: libzip-dev libpugixml-dev) and build layerpipe again.");
}

}  // namespace

void write_zip(const std::filesystem::path&, std::span<const ZipEntry>) {
  throw absent("write ZIP archives");
}

void write_archive(const std::filesystem::path&, std::span<const ArchiveFile>) {
  throw absent("write ZIP archives");
}

}  // namespace layerpipe::media
