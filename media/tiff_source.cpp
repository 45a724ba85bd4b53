#include "media/tiff_source.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

TiffSource& source_of(thandle_t handle) {
  return *static_cast<TiffSource*>(handle);
}

tmsize_t read_bytes(thandle_t handle, void* to, tmsize_t count) {
  TiffSource& source = source_of(handle);
  const std::size_t left = source.bytes.size() - std::min(source.place, source.bytes.size());
  const std::size_t given = std::min(left, static_cast<std::size_t>(std::max<tmsize_t>(count, 0)));
  if (given > 0) std::memcpy(to, source.bytes.data() + source.place, given);
  source.place += given;
  return static_cast<tmsize_t>(given);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) {
  return 0;
}

toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
  TiffSource& source = source_of(handle);
  if (whence == SEEK_CUR) offset += source.place;
  if (whence == SEEK_END) offset += source.bytes.size();
  source.place = offset;
  return offset;
}

int close_nothing(thandle_t) {
  return 0;
}

toff_t size_of(thandle_t handle) {
  return source_of(handle).bytes.size();
}

// The mapping is never written to: libtiff copies what it changes.
int map_whole(thandle_t handle, void** base, toff_t* size) {
  *base = const_cast<std::byte*>(source_of(handle).bytes.data());
  *size = source_of(handle).bytes.size();
  return 1;
}

void unmap_nothing(thandle_t, void*, toff_t) {}

int keep_error(TIFF*, void* data, const char*, const char* format, va_list arguments) {
  auto& error = static_cast<TiffSource*>(data)->error;
  std::vsnprintf(error, sizeof error, format, arguments);
  for (char* c = error; *c != '\0'; ++c) {
    if (*c < ' ' || *c > '~') *c = '?';  // names of tags come from the file
  }
  return 1;  // nobody else is told
}

// The one warning that matters is that libtiff made up what samples beside the colours are, which the file
// does not say.
int look_at_warning(TIFF*, void* data, const char*, const char* format, va_list) {
  auto& source = *static_cast<TiffSource*>(data);
  source.extras_are_guessed = source.extras_are_guessed || std::strstr(format, "as ExtraSamples") != nullptr;
  return 1;
}

struct Free {
  void operator()(TIFFOpenOptions* options) const noexcept { TIFFOpenOptionsFree(options); }
};
}  // namespace

TiffHandle open_tiff(TiffSource& source, std::uint64_t most_bytes) {
  const std::unique_ptr<TIFFOpenOptions, Free> options(TIFFOpenOptionsAlloc());
  common::ensure(options != nullptr, "libtiff could not be started");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(most_bytes));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), look_at_warning, &source);
  return TiffHandle(TIFFClientOpenExt("picture", "r", &source, read_bytes, write_nothing, seek_to,
                                      close_nothing, size_of, map_whole, unmap_nothing, options.get()));
}

}  // namespace layerpipe::media
