#include "session/inputs.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <cstring>

#include "comm/run_collectively.h"
#include "comm/wire.h"
#include "common/errors.h"
#include "media/picture_reader.h"
#include "media/resize.h"
#include "model/weights/safetensors.h"
#include "results/layer_pixels.h"

namespace layerpipe::session {
namespace {

// A picture at the size that the model works on, and the size that it had.
struct InputPicture {
  at::Tensor pixels;  // bytes [height, width, 4]
  common::Size size;
};

// Reads a picture and says what was noticed about it.
media::Image read_picture(const std::filesystem::path& file, RunObserver& observer) {
  auto [picture, remarks] = media::read_picture(file);
  for (const std::string& remark : remarks) observer.notice(fmt::format("{}: {}", file.string(), remark));
  return std::move(picture);
}

// The picture at the size that the model works on: bytes [height, width, 4].
at::Tensor at_working_size(const media::Image& picture, const std::filesystem::path& file,
                           std::int64_t resolution) {
  const common::Size size = model::working_size({picture.width, picture.height}, resolution);
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

std::vector<InputPicture> read_pictures(const Job& job, comm::Communicator& communicator,
                                        const std::atomic<bool>& stop_requested, RunObserver& observer) {
  std::vector<InputPicture> pictures;
  for (const auto& file : job.images) {
    if (stop_requested.load()) throw common::InterruptedError();
    communicator.now_doing("reading " + file.filename().string());
    const media::Image picture = read_picture(file, observer);
    pictures.push_back({at_working_size(picture, file, job.resolution), {picture.width, picture.height}});
  }
  return pictures;
}

// A picture as rank 0 sends it.
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

// Rank 0 sends its pictures to all ranks.
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
runtime::Request common_request(const Job& job) {
  runtime::Request request;
  request.prompt = job.prompt;
  if (!job.no_cfg) request.negative_prompt = job.negative_prompt;
  request.layers = job.layers;
  request.steps = job.steps;
  request.cfg_scale = job.cfg_scale;
  request.cfg_normalize = job.cfg_normalize ? model::NormRescale::kOn : model::NormRescale::kOff;
  request.seed_device = job.seed_device == "cuda" ? model::SeedDevice::kCuda : model::SeedDevice::kCpu;
  return request;
}

}  // namespace

Work make_work(const Job& job, comm::Communicator& communicator, const std::atomic<bool>& stop_requested,
               RunObserver& observer) {
  runtime::Request request = common_request(job);
  std::vector<InputPicture> pictures;
  comm::run_collectively(communicator, "reading the pictures", [&] {
    if (communicator.rank() != 0) return;
    if (job.init_latents) request.init_latents = load_init_latents(*job.init_latents);
    pictures = read_pictures(job, communicator, stop_requested, observer);
  });
  share(pictures, job.images.size(), communicator);
  Work work;
  for (std::size_t index = 0; index < pictures.size() * static_cast<std::size_t>(job.num_images); ++index) {
    const Job one = job_of_result(job, index);
    const InputPicture& picture = pictures[index / static_cast<std::size_t>(job.num_images)];
    request.picture = picture.pixels;
    request.seed = one.seed;
    results::RunRecord record;
    record.job = to_json(one);
    record.deciding_job = deciding_json(one);
    record.picture = one.images.front().string();
    record.picture_size = picture.size;
    record.working_size = {request.picture.size(1), request.picture.size(0)};
    record.layer_size = job.original_size ? record.picture_size : record.working_size;
    record.seed = one.seed;
    record.picture_hash = results::pixel_hash(request.picture);
    work.requests.push_back(request);
    work.records.push_back(std::move(record));
  }
  return work;
}

}  // namespace layerpipe::session
