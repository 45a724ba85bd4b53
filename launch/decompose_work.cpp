#include "launch/decompose_work.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <cstring>

#include "comm/together.h"
#include "comm/wire.h"
#include "common/errors.h"
#include "launch/layer_pixels.h"
#include "launch/terminal.h"
#include "media/picture_reader.h"
#include "media/resize.h"
#include "model/weights/safetensors.h"

namespace layerpipe::launch {
namespace {

// A picture at the size that the model works on, and the size that it had.
struct InputPicture {
  at::Tensor pixels;  // bytes [height, width, 4]
  runtime::PixelSize size;
};

// Reads a picture and says what was noticed about it.
media::Image read_picture(const std::filesystem::path& file, const DecomposeOptions& options) {
  auto [picture, remarks] = media::read_picture(file);
  if (!options.quiet) {
    for (const std::string& remark : remarks) say(fmt::format("{}: {}\n", file.string(), remark));
  }
  return std::move(picture);
}

// The picture at the size that the model works on: bytes [height, width, 4].
at::Tensor at_working_size(const media::Image& picture, const std::filesystem::path& file,
                           std::int64_t resolution) {
  const model::PictureSize size = model::working_size({picture.width, picture.height}, resolution);
  if (size.width == 0 || size.height == 0) {
    throw common::InputError(
        fmt::format("{} is {} × {} pixels: too long and narrow to be taken apart at {} pixels", file.string(),
                    picture.width, picture.height, resolution),
        "Crop it, or take a higher --resolution.");
  }
  const media::Image resized =
      media::resize_lanczos(picture, static_cast<int>(size.width), static_cast<int>(size.height));
  at::Tensor bytes = at::empty({size.height, size.width, 4}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), resized.pixels.data(), resized.pixels.size());
  return bytes;
}

at::Tensor load_init_latents(const std::filesystem::path& file) {
  constexpr const char* kName = "init_latents";
  constexpr const char* kDumpThem = "A file that --dump-latents wrote holds such latents.";
  const model::SafetensorsFile tensors(file);
  if (!tensors.tensors().contains(kName)) {
    throw common::InputError(file.string() + " holds no tensor \"" + kName + "\"", kDumpThem);
  }
  at::Tensor latents = tensors.view(kName);
  // diffusers' packed latents have a batch dimension of one in front.
  if (latents.dim() == 3 && latents.size(0) == 1) latents = latents.squeeze(0);
  if (latents.dim() != 2 || latents.scalar_type() != at::kFloat) {
    throw common::InputError(
        file.string() + ": \"" + kName + "\" has to be fp32 of shape [1, tokens, channels]", kDumpThem);
  }
  if (!at::isfinite(latents).all().item<bool>()) {
    throw common::InputError(file.string() + ": \"" + kName + "\" holds values that are not finite numbers",
                             kDumpThem);
  }
  return latents;
}

std::vector<InputPicture> read_pictures(const DecomposeOptions& options, comm::Communicator& communicator,
                                        const std::atomic<bool>& stop_requested) {
  std::vector<InputPicture> pictures;
  for (const auto& file : options.images) {
    if (stop_requested.load()) throw common::InterruptedError();
    communicator.now_doing("reading " + file.filename().string());
    const media::Image picture = read_picture(file, options);
    pictures.push_back(
        {at_working_size(picture, file, options.work.resolution), {picture.width, picture.height}});
  }
  return pictures;
}

// As rank 0 sends a picture.
std::vector<std::byte> write(const InputPicture& picture) {
  comm::WireWriter writer;
  for (const std::int64_t size :
       {picture.pixels.size(0), picture.pixels.size(1), picture.size.height, picture.size.width})
    writer.number(size);
  writer.bytes({static_cast<const std::byte*>(picture.pixels.const_data_ptr()), picture.pixels.nbytes()});
  return writer.take();
}

InputPicture read(std::span<const std::byte> bytes) {
  comm::WireReader reader(bytes);
  const auto height = reader.number<std::int64_t>();
  const auto width = reader.number<std::int64_t>();
  InputPicture picture;
  picture.size.height = reader.number<std::int64_t>();
  picture.size.width = reader.number<std::int64_t>();
  const auto pixels = reader.bytes();
  reader.end();
  constexpr std::int64_t kLongestSide = 1 << 20;
  comm::WireReader::require(height > 0 && height <= kLongestSide && width > 0 && width <= kLongestSide &&
                                pixels.size() == static_cast<std::size_t>(4 * height * width),
                            "a picture that is not of its size");
  picture.pixels = at::empty({height, width, 4}, at::kByte);
  std::memcpy(picture.pixels.mutable_data_ptr(), pixels.data(), pixels.size());
  return picture;
}

// Of rank 0, to all.
void share(std::vector<InputPicture>& pictures, std::size_t count, comm::Communicator& communicator) {
  if (communicator.size() == 1) return;
  pictures.resize(count);
  for (InputPicture& picture : pictures) {
    const bool sends = communicator.rank() == 0;
    const auto bytes =
        communicator.broadcast(sends ? write(picture) : std::vector<std::byte>{}, 0, "sending the pictures");
    if (!sends) picture = read(bytes);
  }
}

// What all requests have in common.
runtime::Request common_request(const DecomposeOptions& options) {
  runtime::Request request;
  request.prompt = options.prompt;
  if (!options.no_cfg) request.negative_prompt = options.negative_prompt;
  request.layers = options.work.layers;
  request.steps = options.work.steps;
  request.cfg_scale = options.cfg_scale;
  request.cfg_normalize = options.cfg_normalize ? model::NormRescale::kOn : model::NormRescale::kOff;
  request.seed_device = options.seed_device == "cuda" ? model::SeedDevice::kCuda : model::SeedDevice::kCpu;
  return request;
}

}  // namespace

Work make_work(const DecomposeOptions& options, comm::Communicator& communicator,
               const std::atomic<bool>& stop_requested) {
  runtime::Request request = common_request(options);
  std::vector<InputPicture> pictures;
  comm::together(communicator, "reading the pictures", [&] {
    if (communicator.rank() != 0) return;
    if (options.init_latents) request.init_latents = load_init_latents(*options.init_latents);
    pictures = read_pictures(options, communicator, stop_requested);
  });
  share(pictures, options.images.size(), communicator);
  Work work;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    request.picture = pictures[i].pixels;
    runtime::ResultRecord record{.picture = options.images[i].string(),
                                 .picture_size = pictures[i].size,
                                 .working_size = {request.picture.size(1), request.picture.size(0)},
                                 .picture_hash = pixel_hash(request.picture)};
    record.layer_size = options.original_size ? record.picture_size : record.working_size;
    for (std::int64_t n = 0; n < options.num_images; ++n) {
      request.seed = record.seed = options.seed + static_cast<std::uint64_t>(n);
      work.requests.push_back(request);
      work.records.push_back(record);
    }
  }
  return work;
}

}  // namespace layerpipe::launch
