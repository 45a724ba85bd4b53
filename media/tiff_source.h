// A TIFF in memory, as libtiff asks for it. Not for other files than tiff_reader.cpp.
#pragma once

#include <tiffio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace layerpipe::media {

// The file in memory, as libtiff asks for it, and the last thing that it complained of.
struct TiffSource {
  std::span<const std::byte> bytes;
  std::size_t place = 0;
  char error[256] = "";
  bool extras_are_guessed = false;
};

struct TiffClose {
  void operator()(TIFF* tiff) const noexcept { TIFFClose(tiff); }
};
using TiffHandle = std::unique_ptr<TIFF, TiffClose>;

// Opens what `source` holds, which must outlive the result; nothing when libtiff cannot, and then
// source.error says why. libtiff takes no more than `most_bytes` at once.
TiffHandle open_tiff(TiffSource& source, std::uint64_t most_bytes);

}  // namespace layerpipe::media
