#include "media/png_reader.h"

#include <cstring>
#include <string>
#include <string_view>

#include "common/errors.h"
#include "common/host_memory.h"
#include "common/input_file.h"
#include "media/color_profile.h"
#include "media/orientation.h"
#include "media/picture_errors.h"
#include "media/png_chunks.h"
#include "media/png_guard.h"
#include "media/png_profile.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
constexpr std::size_t kHeaderBytes =
    8 + 4 + 4 + 13 + 4;  // signature, then IHDR: length, name, content, checksum

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
  explicit ReadHandle(LibraryFailure& failure)
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

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

// What can be told before libpng is asked: that it is a PNG, and that its size is allowed. Gives the size.
common::Size check_start(const PictureFile& file, std::string_view content) {
  if (!content.starts_with(kSignature)) {
    if (kSignature.starts_with(content)) throw cut_short(file, "PNG");
    throw InputError(file.name + " is not a PNG picture", kSaveAsPng);
  }
  if (content.size() < kHeaderBytes) throw cut_short(file, "PNG");
  if (content.substr(12, 4) != "IHDR") return {};  // libpng says what is wrong
  const std::uint32_t width = big_endian(content.substr(16));
  const std::uint32_t height = big_endian(content.substr(20));
  check_declared_size(file, width, height);
  return {width, height};
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

// Leaves the header as it is in the file; request_rgba changes what libpng says of it.
void read_header(png_structp png, png_infop info, Source& source) {
  png_set_read_fn(png, &source, read_from_source);
  png_set_user_limits(png, kMaxSide, kMaxSide);
  // A damaged tRNS or PLTE changes the picture just as a damaged IDAT does.
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  // Every chunk that a picture can be decoded without is passed over unread, whatever its length. Texts may
  // unpack to far more than the picture; iCCP and eXIf, which png_chunks.h finds, libpng would drop without
  // saying so when it does not like them.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_chunk_malloc_max(png, 0);
  png_read_info(png, info);
}

void read_rows(png_structp png, png_infop info, Image& image) {
  const int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_NONE ? 1 : PNG_INTERLACE_ADAM7_PASSES;
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < image.height; ++y) png_read_row(png, image.row(y), nullptr);
  }
  png_read_end(png, info);  // looks whether the file is whole
}

ColorModel model_of(png_byte color_type) {
  return (color_type & PNG_COLOR_MASK_COLOR) != 0 ? ColorModel::kRgb : ColorModel::kGrey;
}

// `chunk` is the content of iCCP.
void convert_from(std::span<const std::byte> chunk, ColorModel stored, Picture& picture) {
  if (const auto profile = unpack_profile(chunk)) {
    convert_to_srgb(picture, *profile, stored);
  } else {
    picture.remarks.emplace_back(kProfileTooLarge);
  }
}

std::string_view content_of(const PictureFile& file) {
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

}  // namespace

common::Size declared_png_size(const PictureFile& file) {
  return check_start(file, content_of(file));
}

Picture read_png(const PictureFile& file) {
  const std::string_view content = content_of(file);
  check_start(file, content);

  Source source{content.data(), content.size(), false};
  LibraryFailure failure;
  const ReadHandle handle(failure);
  const png_structp png = handle.png();
  const png_infop info = handle.info();
  const auto fail = [&]() {
    if (source.ended_early) throw cut_short(file, "PNG");
    throw damaged(file, "PNG", std::string("libpng: ") + failure.text);
  };
  if (!guarded(failure, [&] { read_header(png, info, source); })) fail();
  const ColorModel stored = model_of(png_get_color_type(png, info));
  if (!guarded(failure, [&] { request_rgba(png, info); })) fail();
  Picture picture{make_image(static_cast<int>(png_get_image_width(png, info)),
                             static_cast<int>(png_get_image_height(png, info))),
                  {}};
  Image& image = picture.image;
  common::ensure(png_get_rowbytes(png, info) == image.row_bytes(), "libpng did not turn a picture into RGBA");
  if (!guarded(failure, [&] { read_rows(png, info, image); })) fail();
  const PngChunks chunks = find_png_chunks(file.bytes);
  if (chunks.profile) convert_from(*chunks.profile, stored, picture);
  if (chunks.is_animated) {
    picture.remarks.emplace_back(chunks.pixels_are_a_frame ? "animated: only its first frame is used"
                                                           : "animated: only its still picture is used");
  }
  if (chunks.exif) image = apply_orientation(std::move(image), read_orientation(*chunks.exif));
  return picture;
}

Image read_png(const std::filesystem::path& path) {
  const common::FileContent content(path);
  return read_png(PictureFile{content.bytes(), path.string(), kMaxPixels, common::memory_left()}).image;
}

}  // namespace layerpipe::media
