// How libpng reports errors in png_reader.cpp and png_writer.cpp. Other files do not include it.
#pragma once

#include <png.h>

#include <cstdio>

#include "media/library_guard.h"

namespace layerpipe::media {

[[noreturn]] inline void keep_png_error(png_structp png, png_const_charp text) {
  auto* failure = static_cast<LibraryFailure*>(png_get_error_ptr(png));
  std::snprintf(failure->text, sizeof failure->text, "%s", text);
  std::longjmp(failure->place, 1);
}

// Warnings are about chunks that do not change a pixel.
inline void ignore_png_warning(png_structp, png_const_charp) {}

}  // namespace layerpipe::media
