#include "media/psd_output.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/units.h"

namespace layerpipe::media {
namespace {

using common::OutputError;

// In the words of common::write_file_atomically, which fails for the same reasons a moment later.
[[noreturn]] void throw_output_error(const std::filesystem::path& path, int error_number) {
  throw OutputError("cannot write " + path.string() + ": " + common::system_error_text(error_number),
                    error_number == ENOSPC ? "Free some space on that disk, or write to another one."
                                           : "Check that the folder exists and may be written.");
}

std::array<std::uint8_t, 2> bytes_of(std::uint16_t value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

std::array<std::uint8_t, 4> bytes_of(std::uint32_t value) {
  return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
          static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

template <typename Units>
std::vector<std::uint8_t> bytes_of_all(const Units& units) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(2 * units.size());
  for (const auto unit : units) {
    for (const std::uint8_t byte : bytes_of(static_cast<std::uint16_t>(unit))) bytes.push_back(byte);
  }
  return bytes;
}

}  // namespace

PsdOutput::PsdOutput(std::filesystem::path path, std::uint64_t most_bytes)
    : path_(std::move(path)), most_bytes_(most_bytes) {
  std::string name = (path_.parent_path() / ".layerpipe-XXXXXX").string();
  const int descriptor = ::mkstemp(name.data());
  if (descriptor < 0) throw_output_error(path_, errno);
  file_.reset(::fdopen(descriptor, "wb"));
  if (!file_) {
    const int error_number = errno;
    ::close(descriptor);
    ::unlink(name.c_str());
    throw_output_error(path_, error_number);
  }
  scratch_ = name;
}

PsdOutput::~PsdOutput() {
  ::unlink(scratch_.c_str());
}

void PsdOutput::put(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > most_bytes_ - size_) {
    throw OutputError(
        "cannot write " + path_.string() + ": the file would be too large, PSD holds at most 2 GiB",
        "Write the layers as OpenRaster (.ora), which has no such limit, or make the picture smaller.");
  }
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    throw_output_error(path_, errno);
  }
  size_ += bytes.size();
}

void PsdOutput::put_text(std::string_view ascii) {
  put({reinterpret_cast<const std::uint8_t*>(ascii.data()), ascii.size()});
}

void PsdOutput::put_u8(std::uint8_t value) {
  put({&value, 1});
}

void PsdOutput::put_u16(std::uint16_t value) {
  put(bytes_of(value));
}

void PsdOutput::put_u32(std::uint32_t value) {
  put(bytes_of(value));
}

void PsdOutput::put_zeros(std::uint64_t count) {
  constexpr std::array<std::uint8_t, 4096> kZeros{};
  while (count > 0) {
    const std::uint64_t part = std::min<std::uint64_t>(count, kZeros.size());
    put(std::span(kZeros).first(part));
    count -= part;
  }
}

void PsdOutput::put_unicode(std::u16string_view text) {
  put_u32(static_cast<std::uint32_t>(text.size()));
  put(bytes_of_all(text));
}

void PsdOutput::replace(std::uint64_t place, std::span<const std::uint8_t> bytes) {
  common::ensure(place <= size_ && bytes.size() <= size_ - place, "what is replaced was not put");
  if (::fseeko(file_.get(), static_cast<off_t>(place), SEEK_SET) != 0 ||
      std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size() ||
      ::fseeko(file_.get(), 0, SEEK_END) != 0) {
    throw_output_error(path_, errno);
  }
}

void PsdOutput::replace_u32(std::uint64_t place, std::uint32_t value) {
  replace(place, bytes_of(value));
}

void PsdOutput::replace_u16s(std::uint64_t place, std::span<const std::uint16_t> values) {
  replace(place, bytes_of_all(values));
}

std::uint64_t PsdOutput::begin_section() {
  const std::uint64_t place = size_;
  put_u32(0);
  return place;
}

void PsdOutput::end_section(std::uint64_t place, std::uint64_t alignment) {
  constexpr std::uint64_t kLengthBytes = 4;
  const std::uint64_t length = size_ - place - kLengthBytes;
  put_zeros((alignment - length % alignment) % alignment);
  replace_u32(place, static_cast<std::uint32_t>(size_ - place - kLengthBytes));
}

void PsdOutput::finish() {
  if (std::fflush(file_.get()) != 0) throw_output_error(path_, errno);
  try {
    const common::MappedFile content(scratch_);
    common::write_file_atomically(path_, content.bytes());
  } catch (const common::InputError& error) {  // about a file of ours, so not the user's input
    throw OutputError("cannot write " + path_.string() + ": " + error.what(), error.remedy());
  }
}

}  // namespace layerpipe::media
