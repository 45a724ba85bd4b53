// In place of the writers and readers of documents that are ZIP archives, in a build without libzip and
// pugixml.
#include <string>

#include "common/errors.h"
#include "media/ora_reader.h"
#include "media/ora_writer.h"
#include "media/pptx_writer.h"
#include "media/zip_writer.h"

namespace layerpipe::media {
namespace {

common::InputError absent(const std::string& what) {
  return common::InputError("this layerpipe was built without libzip and pugixml, and cannot " + what,
                            "Install both (Debian: libzip-dev libpugixml-dev) and build layerpipe again.");
}

}  // namespace

void check_zip_is_built(const std::string& deed) {
  throw absent(deed);
}

ZipContent text_content(std::string_view) {
  throw absent("write ZIP archives");
}

void write_zip(const std::filesystem::path&, std::span<const ZipEntry>) {
  throw absent("write ZIP archives");
}

void write_ora(const std::filesystem::path&, const Document&) {
  throw absent("write OpenRaster documents");
}

Document read_ora(const PictureFile& file) {
  throw absent("read the OpenRaster document " + file.name);
}

Document read_ora(const std::filesystem::path& path) {
  throw absent("read the OpenRaster document " + path.string());
}

void write_pptx(const std::filesystem::path&, const Document&) {
  throw absent("write presentations");
}

}  // namespace layerpipe::media
