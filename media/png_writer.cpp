#include "media/png_writer.h"

#include <zlib.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <span>
#include <string_view>

#include "common/errors.h"
#include "common/files.h"
#include "media/deflate_run.h"
#include "media/ordered_pieces.h"
#include "media/png_filter.h"
#include "media/png_guard.h"

namespace layerpipe::media {
namespace {

// Collects what libpng writes.
void append_to_content(png_structp png, png_bytep from, std::size_t count) {
  auto* content = static_cast<std::vector<std::byte>*>(png_get_io_ptr(png));
  bool appended = true;
  try {
    const auto bytes = std::as_bytes(std::span(from, count));
    content->insert(content->end(), bytes.begin(), bytes.end());
  } catch (...) {
    appended = false;  // an exception may not pass through libpng, and no longjmp may leave a catch block
  }
  if (!appended) png_error(png, "out of memory");
}

void nothing_to_flush(png_structp) {}

class WriteHandle {
 public:
  explicit WriteHandle(LibraryFailure& failure)
      : png_(png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure, keep_png_error, ignore_png_warning)) {
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw common::InternalError("libpng could not be started");
    }
  }
  ~WriteHandle() { png_destroy_write_struct(&png_, &info_); }
  WriteHandle(const WriteHandle&) = delete;
  WriteHandle& operator=(const WriteHandle&) = delete;
  png_structp png() const noexcept { return png_; }
  png_infop info() const noexcept { return info_; }

 private:
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_keyword(std::string_view text) {
  return !text.empty() && text.size() <= 79 && text.front() != ' ' && text.back() != ' ' &&
         text.find("  ") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// libpng's view of the texts, which stay where they are. libpng reads its strings only, though it takes them
// as char*.
std::vector<png_text> chunks_of(const PngTexts& texts) {
  std::vector<png_text> chunks;
  for (const auto& [keyword, text] : texts) {
    common::ensure(is_keyword(keyword), "a PNG keyword must be 1 to 79 printable ASCII characters");
    common::ensure(text.find('\0') == std::string::npos, "a PNG text must not contain NUL");
    png_text chunk{};
    chunk.compression = is_ascii(text) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(keyword.c_str());
    chunk.text = const_cast<char*>(text.c_str());
    chunks.push_back(chunk);
  }
  return chunks;
}

// What comes before the rows.
void write_beginning(png_structp png, png_infop info, const Image& image, std::span<const png_text> texts) {
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               PNG_COLOR_TYPE_RGB_ALPHA, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!texts.empty()) png_set_text(png, info, texts.data(), static_cast<int>(texts.size()));
  png_write_info(png, info);
}

// The rows as one zlib stream (RFC 1950) of runs that are made side by side, each in a chunk of its own. How
// they are cut depends on the picture's shape alone.
class Rows {
 public:
  explicit Rows(const Image& image) : image_(image) {
    constexpr std::size_t kRunBytes = 1 << 20;
    const std::size_t rows = kRunBytes / (1 + image.row_bytes());
    rows_of_run_ = std::clamp<int>(static_cast<int>(rows), 1, image.height);
    runs_ = static_cast<std::size_t>((image.height + rows_of_run_ - 1) / rows_of_run_);
    checksums_.resize(runs_);
  }

  // `write` gets the contents of the IDAT chunks, one after another.
  void write(const EncodingWork& work, const std::function<void(std::span<const std::byte>)>& write) {
    make_in_order(runs_, work.threads,
                  {.make = [&](std::size_t index) { return run(index, work); },
                   .take = [&](std::size_t, std::span<const std::byte> run) { write(run); }});
    write(end());
  }

 private:
  std::vector<std::byte> run(std::size_t index, const EncodingWork& work) {
    const int first = static_cast<int>(index) * rows_of_run_;
    const std::vector<std::byte> rows =
        filtered_rows(image_, first, std::min(first + rows_of_run_, image_.height));
    checksums_[index] = {adler32_z(kAdlerOfNothing, reinterpret_cast<const Bytef*>(rows.data()), rows.size()),
                         rows.size()};
    std::vector<std::byte> run = deflate_run(rows);
    // Deflate in a window of 32 KiB, made by a usual effort, without a dictionary.
    if (index == 0) run.insert(run.begin(), {std::byte{0x78}, std::byte{0x9C}});
    if (work.moved) work.moved();
    return run;
  }

  std::vector<std::byte> end() const {
    std::vector<std::byte> end(std::begin(kLastBlock), std::end(kLastBlock));
    uLong checksum = kAdlerOfNothing;
    for (const auto& [of_run, bytes] : checksums_)
      checksum = adler32_combine(checksum, of_run, static_cast<z_off_t>(bytes));
    for (const int shift : {24, 16, 8, 0}) end.push_back(static_cast<std::byte>(checksum >> shift & 0xFF));
    return end;
  }

  static constexpr uLong kAdlerOfNothing = 1;
  const Image& image_;
  int rows_of_run_ = 0;
  std::size_t runs_ = 0;
  std::vector<std::pair<uLong, std::size_t>> checksums_;  // of each run's rows, and their bytes
};

}  // namespace

std::vector<std::byte> encode_png(const Image& image, const PngTexts& texts, const EncodingWork& work) {
  common::ensure(is_valid(image), "a picture to be written as PNG has no valid size");
  const std::vector<png_text> chunks = chunks_of(texts);
  std::vector<std::byte> content;
  LibraryFailure failure;
  const WriteHandle handle(failure);
  const png_structp png = handle.png();
  const png_infop info = handle.info();
  png_set_write_fn(png, &content, append_to_content, nothing_to_flush);
  const auto write = [&failure](const auto& calls) {
    if (guarded(failure, calls)) return;
    throw common::OutputError(std::string("a picture cannot be written as PNG (libpng: ") + failure.text +
                              ")");
  };
  const auto write_chunk = [&](const char* name, std::span<const std::byte> data) {
    write([&] {
      png_write_chunk(png, reinterpret_cast<png_const_bytep>(name),
                      reinterpret_cast<png_const_bytep>(data.data()), data.size());
    });
  };
  write([&] { write_beginning(png, info, image, chunks); });
  Rows(image).write(work, [&](std::span<const std::byte> data) { write_chunk("IDAT", data); });
  write_chunk("IEND", {});
  return content;
}

void write_png(const std::filesystem::path& path, const Image& image, const PngTexts& texts,
               const EncodingWork& work) {
  common::write_file_atomically(path, encode_png(image, texts, work));
}

}  // namespace layerpipe::media
