#include "media/picture_errors.h"

#include "common/host_memory.h"
#include "common/units.h"

namespace layerpipe::media {

using common::InputError;

namespace {

constexpr const char* kMakeSmaller = "Make the picture smaller first.";
// RGBA, and beside it what a progressive JPEG keeps until its last scan, or a turned or resized copy.
constexpr std::uint64_t kBytesOfAPixel = 4 + 6;

// `what` takes `needed` bytes.
void check_memory(const std::string& what, std::uint64_t needed, const common::MemoryPool& memory) {
  if (needed <= memory.free) return;
  throw common::DoesNotFitError(
      what + " takes " + common::format_bytes(needed) + "; " + common::free_text(memory),
      std::string(common::cure_text(memory)) + ", or make the picture smaller first.");
}

}  // namespace

InputError cut_short(const PictureFile& file, std::string_view format) {
  return InputError(file.name + " is cut short: the " + std::string(format) +
                        " in it does not end within its " + std::to_string(file.bytes.size()) + " bytes",
                    kFetchAgain);
}

InputError damaged(const PictureFile& file, std::string_view format, std::string_view reason) {
  return InputError(
      file.name + " is a damaged " + std::string(format) + " picture (" + std::string(reason) + ")",
      kFetchAgain);
}

InputError not_built(const PictureFile& file, std::string_view kind, std::string_view library,
                     std::string_view package) {
  return InputError(file.name + " is " + std::string(kind) + "; this layerpipe was built without " +
                        std::string(library) + ", which reads such",
                    "Install it (Debian, Ubuntu: " + std::string(package) +
                        ") and build layerpipe again, or save the picture as PNG and give that file.");
}

void check_declared_size(const PictureFile& file, std::uint32_t width, std::uint32_t height) {
  const std::string size = std::to_string(width) + " × " + std::to_string(height) + " pixels";
  if (width == 0 || height == 0) throw InputError(file.name + " declares a size of " + size, kFetchAgain);
  if (width > kMaxSide || height > kMaxSide) {
    const std::string most = std::to_string(kMaxSide);
    throw InputError(file.name + " has " + size + "; at most " + most + " × " + most + " are read",
                     kMakeSmaller);
  }
  const std::uint64_t pixels = std::uint64_t{width} * height;
  if (pixels > file.max_pixels) {
    throw InputError(file.name + " has " + size + ", " + std::to_string(pixels) + " in all; at most " +
                         std::to_string(file.max_pixels) + " are read",
                     kMakeSmaller);
  }
  if (file.memory)
    check_memory("reading " + file.name + ", which has " + size + ",", kBytesOfAPixel * pixels, *file.memory);
}

void check_file_size(const std::string& name, std::uint64_t file_bytes, const common::MemoryPool& memory) {
  check_memory("reading " + name, file_bytes, memory);
}

}  // namespace layerpipe::media
