#include "results/disk_space.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <optional>

#include "common/errors.h"
#include "common/units.h"
#include "model/pipeline/prompt_template.h"

namespace layerpipe::results {
namespace {

constexpr std::uint64_t kReportBytes = 256 << 10;  // run.json without the prompts
constexpr std::uint64_t kPageBytes = 1 << 20;      // of the HTML without pictures and prompts
constexpr std::uint64_t kEscapedByte = 6;          // "\u0001"
constexpr std::uint64_t kHeaderBytes = 64 << 10;   // of a PNG without the prompts, or of a safetensors file
constexpr std::uint64_t kWidestElement = 4;        // bytes of a value in the compute dtype

// `path`, or the folder above it that is there; that is where a new folder will lie.
std::filesystem::path existing_part(std::filesystem::path path) {
  path = std::filesystem::absolute(path);
  std::error_code error;
  while (!std::filesystem::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

struct Disk {
  dev_t id;
  std::uint64_t free_bytes;
};

// The disk of a file that is there or will be; nothing when the system does not know.
std::optional<Disk> disk_of(const std::filesystem::path& path) {
  const std::filesystem::path existing = existing_part(path);
  struct stat status {};
  struct statvfs disk {};
  if (::stat(existing.c_str(), &status) != 0 || ::statvfs(existing.c_str(), &disk) != 0) return std::nullopt;
  if (disk.f_blocks == 0) return std::nullopt;  // file systems that are not on a disk say so
  return Disk{status.st_dev, static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize};
}

void check_room(const std::string& option, const std::filesystem::path& path, const std::optional<Disk>& disk,
                std::uint64_t needed) {
  if (!disk || disk->free_bytes >= needed) return;
  throw common::InputError(
      fmt::format("the disk of {} {} has {} free, what is written there may need {}", option, path.string(),
                  common::format_bytes(disk->free_bytes), common::format_bytes(needed)),
      fmt::format("Free some space on it, or choose another {}.", option));
}

}  // namespace

std::uint64_t most_result_bytes(const runtime::Request& request, const common::Size& layer_size,
                                std::span<const Format> formats) {
  const auto rows = static_cast<std::uint64_t>(layer_size.height);
  // Noise does not compress: then deflate stores the bytes, and adds less than a hundredth.
  const std::uint64_t pixel_bytes = 4 * rows * static_cast<std::uint64_t>(layer_size.width) + rows;
  const std::uint64_t texts =
      kEscapedByte * (request.prompt.size() + request.negative_prompt.value_or("").size());
  const std::uint64_t picture = pixel_bytes + pixel_bytes / 100 + kHeaderBytes + texts;
  const auto layers = static_cast<std::uint64_t>(request.layers);
  // The prompts are among its options and in its job, and what is cut off of them stands there again.
  std::uint64_t bytes = kReportBytes + 3 * texts;
  for (const Format format : formats) {
    switch (format) {
      case Format::kPng:
        bytes += (layers + 1) * picture;  // the composite
        break;
      case Format::kPsd:
        bytes += (layers + 1) * (picture + 4 * 2 * rows);  // four lengths a row
        break;
      case Format::kPptx:
        bytes += layers * picture + kReportBytes + texts;
        break;
      case Format::kOra:
        bytes += (layers + 2) * picture + kReportBytes;  // the composite, large and small
        break;
      case Format::kZip:
        bytes += (layers + 1) * picture + kReportBytes + texts;
        break;
      case Format::kHtml:
        // Three bytes become four letters; lines end after 4096 letters. And the original.
        bytes += (layers + 1) * (picture * 4 / 3 + picture / 1000) + kPageBytes + 2 * texts;
        break;
    }
  }
  return bytes;
}

std::uint64_t most_dump_bytes(const runtime::Request& request, const model::ModelConfig& model) {
  const auto pixels = static_cast<std::uint64_t>(request.picture.size(0) * request.picture.size(1));
  const auto layers = static_cast<std::uint64_t>(request.layers);
  const auto ratio = static_cast<std::uint64_t>(model.vae.spatial_compression_ratio());
  const std::uint64_t frame = pixels / (ratio * ratio) * static_cast<std::uint64_t>(model.vae.z_dim);
  const std::uint64_t latents = (2 * (layers + 1) + 1) * frame;  // first, last and those of the picture
  const std::uint64_t embeddings =
      2 * static_cast<std::uint64_t>(model::kLongestPrompt * model.text_encoder.hidden_size);
  const std::uint64_t decoded = layers * 4 * pixels;
  return kWidestElement * (latents + embeddings + decoded) + kHeaderBytes;
}

void check_disk_space(const OutputOptions& options, const std::vector<runtime::Request>& requests,
                      const std::vector<RunRecord>& records, const model::ModelConfig& model) {
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < requests.size(); ++i)
    needed += most_result_bytes(requests[i], records[i].layer_size, options.formats);
  const std::optional<Disk> disk = disk_of(options.out);
  if (options.dump_latents) {
    const std::uint64_t dump_bytes = most_dump_bytes(requests.front(), model);
    const std::optional<Disk> dump_disk = disk_of(*options.dump_latents);
    if (disk && dump_disk && disk->id == dump_disk->id) {
      needed += dump_bytes;
    } else {
      check_room("--dump-latents", *options.dump_latents, dump_disk, dump_bytes);
    }
  }
  check_room("--out", options.out, disk, needed);
}

}  // namespace layerpipe::results
