#include "media/zip_writer.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <optional>
#include <set>
#include <utility>

#include "common/errors.h"
#include "common/files.h"
#include "common/input_file.h"
#include "media/safe_name.h"

namespace layerpipe::media {
namespace {

constexpr zip_uint16_t kDosTime = 0;
constexpr zip_uint16_t kDosDate = 0 << 9 | 1 << 5 | 1;  // years since 1980, month, day
constexpr zip_uint32_t kAttributes = 0100644U << 16;    // a file, rw-r--r--
constexpr zip_uint32_t kDeflateLevel = 9;

// Hands one entry's content to libzip, which asks for its size, opens, reads and closes it, and asks for its
// size once more. Must outlive the archive.
class Feeder {
 public:
  Feeder(const ZipContent& content, std::exception_ptr& failure) : content_(&content), failure_(&failure) {
    zip_error_init(&error_);
  }
  ~Feeder() { zip_error_fini(&error_); }
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  // A zip_source_callback. libzip is C: what is thrown is kept, to be thrown when libzip has returned.
  static zip_int64_t answer(void* feeder, void* data, zip_uint64_t length, zip_source_cmd_t command) {
    auto* self = static_cast<Feeder*>(feeder);
    try {
      return self->carry_out(command, data, length);
    } catch (...) {
      *self->failure_ = std::current_exception();
      zip_error_set(&self->error_, ZIP_ER_INTERNAL, 0);
      return -1;
    }
  }

 private:
  zip_int64_t carry_out(zip_source_cmd_t command, void* data, zip_uint64_t length) {
    switch (command) {
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
      case ZIP_SOURCE_STAT:
        return tell_size(static_cast<zip_stat_t*>(data));
      case ZIP_SOURCE_OPEN:
        return 0;
      case ZIP_SOURCE_READ:
        return read(static_cast<std::byte*>(data), length);
      case ZIP_SOURCE_CLOSE:
        std::vector<std::byte>().swap(made_);  // assigning an empty one would keep its memory
        file_.reset();
        return 0;
      case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&error_, data, length);
      case ZIP_SOURCE_FREE:
        return 0;
      default:
        zip_error_set(&error_, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
  }

  // The content is made here: only an entry of known size is written without the extra field of ZIP64, which
  // OpenRaster does not want in its first one.
  zip_int64_t tell_size(zip_stat_t* status) {
    if (!size_) {
      begin();
      size_ = file_ ? file_->size() : made_.size();
    }
    zip_stat_init(status);
    status->valid = ZIP_STAT_SIZE;
    status->size = *size_;
    return sizeof *status;
  }

  void begin() {
    done_ = 0;
    if (const auto* path = std::get_if<std::filesystem::path>(content_)) {
      file_.emplace(*path);
    } else {
      made_ = std::get<0>(*content_)();
    }
  }

  zip_int64_t read(std::byte* to, zip_uint64_t length) {
    const std::uint64_t count = std::min(*size_ - done_, length);
    if (file_) {
      read_file({to, count});
    } else {
      std::copy_n(made_.begin() + static_cast<std::ptrdiff_t>(done_), count, to);
    }
    done_ += count;
    return static_cast<zip_int64_t>(count);
  }

  void read_file(std::span<std::byte> to) {
    file_->read(done_, to);
    if (!file_->was_written_to()) return;
    throw common::InputError(file_->path().string() + " changed while it was read",
                             "Try again when nothing else writes to it.");
  }

  const ZipContent* content_;
  std::exception_ptr* failure_;
  std::vector<std::byte> made_;
  std::optional<common::InputFile> file_;
  std::uint64_t done_ = 0;  // of the content
  std::optional<std::uint64_t> size_;
  zip_error_t error_;
};

common::OutputError failed(const std::filesystem::path& path, zip_error_t& error) {
  if (zip_error_system_type(&error) == ZIP_ET_SYS)
    return common::output_error(path, zip_error_code_system(&error));
  return common::OutputError("cannot write " + path.string() + " (libzip: " + zip_error_strerror(&error) +
                             ")");
}

// An archive that is to be written. What is not closed is thrown away.
class Archive {
 public:
  explicit Archive(const std::filesystem::path& target, const std::filesystem::path& temporary)
      : target_(target) {
    int code = 0;
    archive_ = zip_open(temporary.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (archive_ != nullptr) return;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const common::OutputError thrown = failed(target_, error);
    zip_error_fini(&error);
    throw thrown;
  }
  ~Archive() {
    if (archive_ != nullptr) zip_discard(archive_);
  }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  void add(const ZipEntry& entry, Feeder& feeder) {
    zip_source_t* source = zip_source_function(archive_, Feeder::answer, &feeder);
    if (source == nullptr) throw failed(target_, *zip_get_error(archive_));
    const zip_int64_t index = zip_file_add(archive_, entry.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);  // the archive owns it only once it is added
      throw failed(target_, *zip_get_error(archive_));
    }
    const auto place = static_cast<zip_uint64_t>(index);
    const bool stored = entry.method == ZipMethod::kStored;
    if (zip_set_file_compression(archive_, place, stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE,
                                 stored ? 0 : kDeflateLevel) != 0 ||
        zip_file_set_dostime(archive_, place, kDosTime, kDosDate, 0) != 0 ||
        zip_file_set_external_attributes(archive_, place, 0, ZIP_OPSYS_UNIX, kAttributes) != 0) {
      throw failed(target_, *zip_get_error(archive_));
    }
  }

  // Writes everything. `failure` is what a content threw meanwhile.
  void close(const std::exception_ptr& failure) {
    const int result = zip_close(archive_);
    if (failure) std::rethrow_exception(failure);
    if (result != 0) throw failed(target_, *zip_get_error(archive_));
    archive_ = nullptr;
  }

 private:
  const std::filesystem::path& target_;
  zip_t* archive_ = nullptr;
};

void check_names(std::span<const ZipEntry> entries) {
  common::ensure(!entries.empty(), "an archive without entries is to be written");
  std::set<std::string_view> names;
  for (const ZipEntry& entry : entries) {
    common::ensure(is_safe_entry_name(entry.name), "the name of an entry of an archive is not safe");
    common::ensure(names.insert(entry.name).second, "an entry of an archive is there twice");
  }
}

}  // namespace

void check_zip_is_built(const std::string&) {}

void write_zip(const std::filesystem::path& path, std::span<const ZipEntry> entries) {
  check_names(entries);
  common::FileBeside file(path);
  std::exception_ptr failure;
  std::deque<Feeder> feeders;  // a deque, because libzip keeps their addresses
  Archive archive(path, file.temporary());
  for (const ZipEntry& entry : entries) archive.add(entry, feeders.emplace_back(entry.content, failure));
  archive.close(failure);
  file.commit();
}

ZipContent text_content(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return [content = std::vector<std::byte>(bytes.begin(), bytes.end())] { return content; };
}

}  // namespace layerpipe::media
