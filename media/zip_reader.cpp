#include "media/zip_reader.h"

#include <zip.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "media/picture_errors.h"
#include "media/safe_name.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr std::size_t kShownBytes = 100;  // of an entry's name, in messages

struct CloseFile {
  void operator()(zip_file_t* file) const noexcept { zip_fclose(file); }
};
using OpenFile = std::unique_ptr<zip_file_t, CloseFile>;

std::string in_archive(const std::string& entry, const std::string& archive) {
  return archive + ": " + safe_text(entry, kShownBytes);
}

InputError damaged_entry(const std::string& entry, const std::string& archive, const std::string& reason) {
  return InputError(in_archive(entry, archive) + " is damaged (" + reason + ")", kFetchAgain);
}

OpenFile open_entry(zip_t* archive, std::uint64_t index, const std::string& entry, const std::string& name) {
  OpenFile file(zip_fopen_index(archive, index, 0));
  if (!file) throw damaged_entry(entry, name, std::string("libzip: ") + zip_strerror(archive));
  return file;
}

// Fills `to` as far as the entry goes; how many bytes came.
std::size_t read_some(zip_file_t* file, std::span<std::byte> to, const std::string& entry,
                      const std::string& name) {
  std::size_t done = 0;
  while (done < to.size()) {
    const zip_int64_t count = zip_fread(file, to.data() + done, to.size() - done);
    if (count < 0) throw damaged_entry(entry, name, std::string("libzip: ") + zip_file_strerror(file));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace

void ZipReader::Discard::operator()(zip* archive) const noexcept {
  zip_discard(archive);
}

ZipReader::ZipReader(std::span<const std::byte> bytes, std::string name) : name_(std::move(name)) {
  if (bytes.empty()) throw InputError(name_ + " is empty", kFetchAgain);  // libzip takes it for an archive
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source != nullptr) {
    archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
    if (!archive_) zip_source_free(source);
  }
  const std::string reason = archive_ ? "" : zip_error_strerror(&error);
  zip_error_fini(&error);
  if (!archive_) throw InputError(name_ + " is no whole ZIP archive (libzip: " + reason + ")", kFetchAgain);
}

std::optional<ZipReader::Found> ZipReader::find(const std::string& entry) const {
  if (entry.find('\0') != std::string::npos) return {};
  const zip_int64_t index = zip_name_locate(archive_.get(), entry.c_str(), ZIP_FL_ENC_RAW);
  zip_stat_t status;
  if (index < 0 || zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(index), 0, &status) != 0)
    return {};
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  const bool readable = (status.valid & kNeeded) == kNeeded && status.encryption_method == ZIP_EM_NONE &&
                        (status.comp_method == ZIP_CM_STORE || status.comp_method == ZIP_CM_DEFLATE);
  return Found{static_cast<std::uint64_t>(index), status.size, readable};
}

ZipReader::Found ZipReader::find_readable(const std::string& entry) const {
  const std::optional<Found> found = find(entry);
  if (!found) throw InputError(name_ + " has no " + safe_text(entry, kShownBytes) + " in it", kFetchAgain);
  if (!found->readable) {
    throw InputError(in_archive(entry, name_) + " is encrypted, or packed by a method that is not read",
                     "Save it again with another program.");
  }
  return *found;
}

std::optional<std::uint64_t> ZipReader::size(const std::string& entry) const {
  const std::optional<Found> found = find(entry);
  return found ? std::optional(found->bytes) : std::nullopt;
}

std::vector<std::byte> ZipReader::read_start(const std::string& entry, std::size_t limit_bytes) const {
  const Found found = find_readable(entry);
  const OpenFile file = open_entry(archive_.get(), found.index, entry, name_);
  std::vector<std::byte> content(std::min<std::uint64_t>(found.bytes, limit_bytes));
  content.resize(read_some(file.get(), content, entry, name_));
  return content;
}

std::vector<std::byte> ZipReader::read(const std::string& entry, std::size_t limit_bytes) const {
  const Found found = find_readable(entry);
  if (found.bytes > limit_bytes) {
    throw InputError(in_archive(entry, name_) + " unpacks to " + std::to_string(found.bytes) +
                         " bytes; at most " + std::to_string(limit_bytes) + " are expected",
                     kFetchAgain);
  }
  const OpenFile file = open_entry(archive_.get(), found.index, entry, name_);
  std::vector<std::byte> content(found.bytes);
  const std::size_t done = read_some(file.get(), content, entry, name_);
  // Reading past the end is what makes libzip compare the checksum.
  std::byte beyond;
  if (done < content.size() || read_some(file.get(), {&beyond, 1}, entry, name_) != 0)
    throw damaged_entry(entry, name_, "it is not as long as the archive says");
  return content;
}

}  // namespace layerpipe::media
