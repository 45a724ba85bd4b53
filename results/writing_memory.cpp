#include "results/writing_memory.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "common/errors.h"
#include "common/host_memory.h"
#include "common/units.h"

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
  const std::uint64_t bytes = writing_bytes(format, record.layer_size);
  if (format != Format::kHtml) return bytes;
  // The original is read, turned and resized before.
  return std::max(bytes,
                  3 * kPicture * pixels_of(record.picture_size) + kReading * pixels_of(record.layer_size));
}

std::uint64_t writing_bytes(Format format, const common::Size& layers) {
  const std::uint64_t pixels = pixels_of(layers);
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
      // A layer, or its PNG, beside the original.
      return (kPicture + kReading) * pixels;
  }
  return 0;
}

std::uint64_t merging_bytes(const common::Size& layers) {
  return writing_bytes(Format::kPng, layers) - kPicture * pixels_of(layers);
}

void check_memory(const std::string& what, std::uint64_t bytes, const runtime::MemoryUse& machine,
                  const std::string& cure) {
  if (bytes <= machine.free) return;
  const common::MemoryPool pool{
      .id = {}, .cgroup = machine.cgroup, .total = machine.total, .free = machine.free};
  throw common::DoesNotFitError(
      fmt::format("{} takes {}; {}", what, common::format_bytes(bytes), common::free_text(pool)),
      common::cure_text(pool) + cure);
}

void check_document_memory(const common::Size& layers, std::span<const Format> formats,
                           const std::function<std::uint64_t(Format)>& bytes,
                           const runtime::MemoryUse& machine) {
  std::uint64_t most = 0;
  std::vector<std::string> fitting;
  for (const Format format : formats) {
    most = std::max(most, bytes(format));
    if (bytes(format) <= machine.free) fitting.push_back(to_string(format));
  }
  check_memory(fmt::format("writing layers of {} × {} pixels", layers.width, layers.height), most, machine,
               fitting.empty() ? "." : fmt::format(", or take --format {}.", fmt::join(fitting, ",")));
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
