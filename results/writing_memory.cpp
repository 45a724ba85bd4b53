#include "results/writing_memory.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "runtime/device/memory.h"

namespace layerpipe::results {
namespace {

// Bytes a pixel.
constexpr std::uint64_t kPicture = 4;
constexpr std::uint64_t kCompositor = 16;
constexpr std::uint64_t kPng = 4;                 // which packs nothing at worst
constexpr std::uint64_t kReading = 2 * kPicture;  // a layer, and what it is resized from

std::uint64_t pixels_of(const common::Size& size) {
  return static_cast<std::uint64_t>(size.width) * static_cast<std::uint64_t>(size.height);
}

}  // namespace

std::uint64_t writing_bytes(Format format, const RunRecord& record) {
  const std::uint64_t pixels = pixels_of(record.layer_size);
  switch (format) {
    case Format::kPng:
    case Format::kOra:
    case Format::kZip:
    case Format::kPsd:
      // All of them make a composite. What is held beside the sum is a layer on its way there, or the
      // composite, or a layer, with its PNG.
      return (kCompositor + std::max(kReading, kPicture + kPng)) * pixels;
    case Format::kPptx:
      // A layer with what is cut out of it, or what is cut out with its PNG.
      return std::max(kReading, kPicture + std::max(kPicture, kPng)) * pixels;
    case Format::kHtml:
      // The same beside the original; that is read, turned and resized before.
      return std::max((kPicture + kReading) * pixels,
                      3 * kPicture * pixels_of(record.picture_size) + kReading * pixels);
  }
  return 0;
}

std::uint64_t layer_bytes(const RunRecord& record) {
  return kPicture * pixels_of(record.layer_size);
}

std::uint64_t reading_bytes(const RunRecord& record) {
  return kReading * pixels_of(record.layer_size);
}

WritingLimits writing_limits() {
  // More than these encode no faster: other things have to be done as well.
  constexpr int kMostThreads = 16;
  return {.threads = std::clamp(at::get_num_threads(), 1, kMostThreads),
          .bytes = runtime::memory_use(at::kCPU).free};
}

}  // namespace layerpipe::results
