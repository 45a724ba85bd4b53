// Writing ZIP archives, for the documents that are one: ora_writer.h, pptx_writer.h, results/documents.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace layerpipe::media {

enum class ZipMethod {
  kStored,    // what is compressed already
  kDeflated,  // texts
};

// Where the content of an entry comes from: a function that makes it, or a file.
using ZipContent = std::variant<std::function<std::vector<std::byte>()>, std::filesystem::path>;

struct ZipEntry {
  std::string name;  // as is_safe_entry_name (safe_name.h) demands
  ZipMethod method = ZipMethod::kStored;
  ZipContent content;
};

// Writes the archive of `entries`, in their order. The content of an entry is asked for once, when those
// before it are written, and let go before the next one is: the archive takes the memory of its largest
// entry, and what a function notes down is there for the functions behind it. Entries have the date
// 1980-01-01 and the rights rw-r--r--, so that the same contents give the same bytes (with the same versions
// of libzip and zlib).
//
// The file appears under its name when it is complete; nothing is left otherwise. Throws OutputError when it
// cannot be written; InputError when a file to be read is missing, and always in a build without libzip
// (documents_absent.cpp); InternalError when there is no entry, or a name is not safe or there twice; and
// whatever a content's function throws.
void write_zip(const std::filesystem::path& path, std::span<const ZipEntry> entries);

// Throws InputError in a build without libzip and pugixml, which says that it cannot `deed` ("write ZIP
// archives"): for callers who want to know before they work.
void check_zip_is_built(const std::string& deed);

// A content that is known already.
ZipContent text_content(std::string_view text);

}  // namespace layerpipe::media
