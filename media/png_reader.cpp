#include "media/png_reader.h"

#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "common/errors.h"
#include "common/files.h"
#include "media/file_kind.h"
#include "media/orientation.h"
#include "media/png_guard.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
constexpr std::size_t kHeaderBytes =
    8 + 4 + 4 + 13 + 4;  // signature, then IHDR: length, name, content, checksum
constexpr std::uint64_t kMaxFileBytes = 2ULL << 30;
constexpr const char* kFetchAgain = "Export the picture again, or copy it again from where it came.";

// Where libpng's next bytes come from.
struct Source {
  const char* next;
  std::size_t left;
  bool ended_early;
};

void read_from_source(png_structp png, png_bytep to, std::size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (count > source->left) {
    source->ended_early = true;
    png_error(png, "the file ends early");
  }
  std::memcpy(to, source->next, count);
  source->next += count;
  source->left -= count;
}

class ReadHandle {
 public:
  explicit ReadHandle(PngFailure& failure)
      : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure, keep_png_error, ignore_png_warning)) {
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw common::InternalError("libpng could not be started");
    }
  }
  ~ReadHandle() { png_destroy_read_struct(&png_, &info_, nullptr); }
  ReadHandle(const ReadHandle&) = delete;
  ReadHandle& operator=(const ReadHandle&) = delete;
  png_structp png() const noexcept { return png_; }
  png_infop info() const noexcept { return info_; }

 private:
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

std::string read_content(const std::filesystem::path& path) {
  try {
    return common::read_text_file(path, kMaxFileBytes);
  } catch (const InputError& error) {
    throw InputError(error.what(), "Give the path of a PNG picture that may be read.");
  }
}

InputError cut_short(const std::filesystem::path& path, std::size_t size) {
  return InputError(path.string() + " is cut short: the PNG in it does not end within its " +
                        std::to_string(size) + " bytes",
                    kFetchAgain);
}

void check_kind(const std::filesystem::path& path, std::string_view content) {
  if (content.empty()) throw InputError(path.string() + " is empty", kFetchAgain);
  if (content.starts_with(kSignature)) return;
  if (kSignature.starts_with(content)) throw cut_short(path, content.size());
  const std::string kind = describe_file_kind(content);
  if (kind.empty())
    throw InputError(path.string() + " is not a PNG picture", "Only PNG is read: save the picture as PNG.");
  throw InputError(path.string() + " is " + kind + (kind.starts_with("a PNG") ? "" : "; only PNG is read"),
                   kind.starts_with("a PNG") ? kFetchAgain : "Save the picture as PNG and give that file.");
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

// The size that the header declares, before anything is allocated for it.
void check_size(const std::filesystem::path& path, std::string_view content) {
  if (content.size() < kHeaderBytes) throw cut_short(path, content.size());
  if (content.substr(12, 4) != "IHDR") return;  // libpng says what is wrong
  const std::uint32_t width = big_endian(content.substr(16));
  const std::uint32_t height = big_endian(content.substr(20));
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width == 0 || height == 0) throw InputError(path.string() + " declares a size of " + size, kFetchAgain);
  if (width > kMaxSide || height > kMaxSide) {
    const std::string most = std::to_string(kMaxSide);
    throw InputError(path.string() + " has " + size + "; at most " + most + " x " + most + " are read",
                     "Make the picture smaller first.");
  }
}

// Asks libpng for RGBA of 8 bits whatever the file holds.
void request_rgba(png_structp png, png_infop info) {
  png_set_expand(png);    // palette to RGB, 1, 2 and 4 bits to 8, tRNS to alpha
  png_set_strip_16(png);  // the high byte, as Pillow takes it
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 0xff, PNG_FILLER_AFTER);  // only where there is no alpha yet
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

void read_header(png_structp png, png_infop info, Source& source) {
  png_set_read_fn(png, &source, read_from_source);
  png_set_user_limits(png, kMaxSide, kMaxSide);
  // A damaged tRNS or PLTE changes the picture just as a damaged IDAT does.
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  // Texts and profiles are not needed and may unpack to far more than the picture. Skipped, they may have any
  // length.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER,
                              reinterpret_cast<png_const_bytep>("tEXt\0zTXt\0iTXt\0iCCP"), 4);
  png_set_chunk_malloc_max(png, 0);
  png_read_info(png, info);
  request_rgba(png, info);
}

void read_rows(png_structp png, png_infop info, Image& image) {
  const int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_NONE ? 1 : PNG_INTERLACE_ADAM7_PASSES;
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < image.height; ++y) png_read_row(png, image.row(y), nullptr);
  }
  png_read_end(png, info);  // eXIf may follow the pixels
}

Orientation orientation_of(png_structp png, png_infop info) {
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png, info, &size, &exif) == 0) return Orientation::kTopLeft;
  return read_orientation(std::as_bytes(std::span(exif, size)));
}

}  // namespace

Image read_png(const std::filesystem::path& path) {
  const std::string content = read_content(path);
  check_kind(path, content);
  check_size(path, content);

  Source source{content.data(), content.size(), false};
  PngFailure failure;
  const ReadHandle handle(failure);
  const png_structp png = handle.png();
  const png_infop info = handle.info();
  const auto fail = [&]() {
    if (source.ended_early) throw cut_short(path, content.size());
    throw InputError(path.string() + " is a damaged PNG picture (libpng: " + failure.text + ")", kFetchAgain);
  };
  if (!guarded(png, [&] { read_header(png, info, source); })) fail();
  Image image = make_image(static_cast<int>(png_get_image_width(png, info)),
                           static_cast<int>(png_get_image_height(png, info)));
  common::ensure(png_get_rowbytes(png, info) == image.row_bytes(), "libpng did not turn a picture into RGBA");
  if (!guarded(png, [&] { read_rows(png, info, image); })) fail();
  return apply_orientation(std::move(image), orientation_of(png, info));
}

}  // namespace layerpipe::media
