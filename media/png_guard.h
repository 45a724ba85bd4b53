// Calling libpng safely from C++: what png_reader.cpp and png_writer.cpp share. Not for other files.
//
// libpng reports an error by a longjmp, which skips destructors. So every call that can fail is made inside
// guarded(), by a lambda that owns nothing: memory is allocated, and exceptions are thrown, outside of it.
#pragma once

#include <png.h>

#include <csetjmp>
#include <cstdio>

namespace layerpipe::media {

// libpng's own words about what went wrong. A plain array, so that the longjmp has nothing to destroy.
struct PngFailure {
  char text[200] = "";
};

[[noreturn]] inline void keep_png_error(png_structp png, png_const_charp text) {
  auto* failure = static_cast<PngFailure*>(png_get_error_ptr(png));
  std::snprintf(failure->text, sizeof failure->text, "%s", text);
  png_longjmp(png, 1);
}

// Warnings are about chunks that do not change a pixel.
inline void ignore_png_warning(png_structp, png_const_charp) {}

// Runs `calls`; false when libpng gave up within it. `calls` must create no object that has a destructor.
template <typename Calls>
bool guarded(png_structp png, const Calls& calls) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  calls();
  return true;
}

}  // namespace layerpipe::media
