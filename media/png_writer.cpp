#include "media/png_writer.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "common/errors.h"
#include "common/files.h"
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

void write_content(png_structp png, png_infop info, const Image& image, std::span<const png_text> texts) {
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               PNG_COLOR_TYPE_RGB_ALPHA, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!texts.empty()) png_set_text(png, info, texts.data(), static_cast<int>(texts.size()));
  png_write_info(png, info);
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.row(y));
  png_write_end(png, info);
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image, const PngTexts& texts) {
  common::ensure(is_valid(image), "a picture to be written as PNG has no valid size");
  const std::vector<png_text> chunks = chunks_of(texts);
  std::vector<std::byte> content;
  LibraryFailure failure;
  const WriteHandle handle(failure);
  const png_structp png = handle.png();
  const png_infop info = handle.info();
  png_set_write_fn(png, &content, append_to_content, nothing_to_flush);
  if (!guarded(failure, [&] { write_content(png, info, image, chunks); })) {
    throw common::OutputError(std::string("a picture cannot be written as PNG (libpng: ") + failure.text +
                              ")");
  }
  return content;
}

void write_png(const std::filesystem::path& path, const Image& image, const PngTexts& texts) {
  common::write_file_atomically(path, encode_png(image, texts));
}

}  // namespace layerpipe::media
