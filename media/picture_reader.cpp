#include "media/picture_reader.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "common/errors.h"
#include "common/host_memory.h"
#include "common/input_file.h"
#include "media/file_kind.h"
#include "media/jpeg_reader.h"
#include "media/picture_errors.h"
#include "media/png_reader.h"
#include "media/webp_reader.h"

namespace layerpipe::media {
namespace {

using common::InputError;

constexpr const char* kRead = "PNG, JPEG and WebP are read";

common::InputFile open_file(const std::filesystem::path& path) {
  try {
    return common::InputFile(path);
  } catch (const InputError& error) {
    throw InputError(error.what(), "Give the path of a picture that may be read.");
  }
}

InputError not_read(const PictureFile& file, std::string_view content) {
  if (content.empty()) return InputError(file.name + " is empty", kFetchAgain);
  const std::string kind = describe_file_kind(content);
  if (kind.empty()) return InputError(file.name + " is not a picture; " + kRead, kSaveAsPng);
  if (kind.starts_with("a PNG")) return InputError(file.name + " is " + kind, kFetchAgain);
  return InputError(file.name + " is " + kind + "; " + kRead, kSaveAsPng);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Throws InputError when a file does not begin as pictures do.
void check_kind(const common::InputFile& file) {
  std::array<std::byte, 64> start;
  const std::span begin = std::span(start).first(std::min<std::uint64_t>(file.size(), start.size()));
  file.read(0, begin);
  if (!picture_format_of(text_of(begin))) throw not_read({begin, file.path().string()}, text_of(begin));
}

}  // namespace

Picture read_picture(const PictureFile& file) {
  const std::string_view content = text_of(file.bytes);
  const auto format = picture_format_of(content);
  if (!format) throw not_read(file, content);
  switch (*format) {
    case PictureFormat::kPng:
      return read_png(file);
    case PictureFormat::kJpeg:
      return read_jpeg(file);
    case PictureFormat::kWebp:
      return read_webp(file);
  }
  throw common::InternalError("a kind of picture has no reader");
}

Picture read_picture(const std::filesystem::path& path) {
  const common::InputFile file = open_file(path);
  check_kind(file);  // before gigabytes of something else are read
  check_file_size(path.string(), file.size(), common::memory_left());
  const common::FileContent content(file);
  return read_picture(PictureFile{content.bytes(), path.string(), kMaxPixels, common::memory_left()});
}

}  // namespace layerpipe::media
