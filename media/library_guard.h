// Calling C libraries that report an error by a longjmp, safely from C++: what the files that use libpng and
// libjpeg share. Other files do not include it.
//
// A longjmp skips destructors. So every call that can fail is made inside guarded(), by a lambda that owns
// nothing: memory is allocated, and exceptions are thrown, outside of it.
#pragma once

#include <csetjmp>

namespace layerpipe::media {

// Where a library's error handler returns to, and the library's own words about what went wrong. A plain
// array, so that the longjmp has nothing to destroy.
struct LibraryFailure {
  std::jmp_buf place;
  char text[256] = "";
};

// Runs `calls`; false when the library gave up within it, by std::longjmp(failure.place, 1). `calls` must
// create no object that has a destructor.
template <typename Calls>
bool guarded(LibraryFailure& failure, const Calls& calls) {
  if (setjmp(failure.place) != 0) return false;
  calls();
  return true;
}

}  // namespace layerpipe::media
