#include "session/inputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <cstring>

#include "comm/run_collectively.h"
#include "comm/wire.h"
#include "common/errors.h"
#include "media/picture_reader.h"
#include "media/resize.h"
#include "model/weights/safetensors.h"
#include "results/layer_pixels.h"
#include "session/picture_size.h"

namespace layerpipe::session {
namespace {

// The picture at the size that the model works on: bytes [height, width, 4].
at::Tensor at_working_size(const media::Image& picture, const std::filesystem::path& file,
                           std::int64_t resolution) {
  const common::Size size = size_to_work_on({picture.width, picture.height}, resolution, file.string());
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
  at::Tensor latents = tensors.read(kName);
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

void write(comm::WireWriter& writer, const common::Size& size) {
  writer.number(size.height);
  writer.number(size.width);
}

common::Size read_size(comm::WireReader& reader) {
  constexpr std::int64_t kLongestSide = 1 << 20;
  common::Size size;
  size.height = reader.number<std::int64_t>();
  size.width = reader.number<std::int64_t>();
  comm::WireReader::require(
      size.height > 0 && size.height <= kLongestSide && size.width > 0 && size.width <= kLongestSide,
      "a picture without a size");
  return size;
}

at::Tensor pixels_from(std::span<const std::byte> bytes, const common::Size& size) {
  comm::WireReader::require(bytes.size() == static_cast<std::size_t>(4 * size.height * size.width),
                            "a picture that is not of its size");
  at::Tensor pixels = at::empty({size.height, size.width, 4}, at::kByte);
  std::memcpy(pixels.mutable_data_ptr(), bytes.data(), bytes.size());
  return pixels;
}

std::span<const std::byte> bytes_of(const at::Tensor& pixels) {
  return {static_cast<const std::byte*>(pixels.const_data_ptr()), pixels.nbytes()};
}

}  // namespace

// What all ranks know of a picture.
struct Inputs::Picture {
  common::Size size;          // that it had
  common::Size working_size;  // that the model works on
  std::string hash;           // of the pixels at that size
};

Inputs::~Inputs() {
  is_abandoned_.store(true);
}

Inputs::Inputs(const Job& job, comm::Communicator& communicator, const std::atomic<bool>& stop_requested,
               RunObserver& observer, std::uint64_t most_kept_bytes)
    : job_(job), communicator_(communicator), stop_requested_(stop_requested) {
  runtime::Request request = common_request(job);
  std::vector<std::byte> described;
  comm::run_collectively(communicator, "reading the pictures", [&] {
    if (communicator.rank() != 0) return;
    if (job.init_latents) request.init_latents = load_init_latents(*job.init_latents);
    comm::WireWriter writer;
    std::uint64_t kept_bytes = 0;
    for (std::size_t i = 0; i < job.images.size(); ++i) {
      const std::filesystem::path& file = job.images[i];
      if (stop_requested.load()) throw common::InterruptedError();
      communicator.now_doing("reading " + file.filename().string());
      const auto [picture, remarks] = media::read_picture(file);
      for (const std::string& remark : remarks) observer.notice(fmt::format("{}: {}", file.string(), remark));
      const at::Tensor pixels = at_working_size(picture, file, job.resolution);
      write(writer, common::Size{.width = picture.width, .height = picture.height});
      write(writer, common::Size{.width = pixels.size(1), .height = pixels.size(0)});
      writer.text(results::pixel_hash(pixels));
      kept_bytes += pixels.nbytes();
      if (kept_bytes <= most_kept_bytes) kept_[static_cast<std::int64_t>(i)] = pixels;
    }
    described = writer.take();
  });
  if (communicator.size() > 1)
    described = communicator.broadcast(std::move(described), 0, "sending what the pictures are");
  comm::WireReader reader(described);
  for (std::size_t i = 0; i < job.images.size(); ++i) {
    Picture picture;
    picture.size = read_size(reader);
    picture.working_size = read_size(reader);
    picture.hash = reader.text();
    pictures_.push_back(picture);
  }
  reader.end();
  const auto each = static_cast<std::size_t>(job.num_images);
  for (std::size_t index = 0; index < pictures_.size() * each; ++index) {
    const Job one = job_of_result(job, index);
    const Picture& picture = pictures_[index / each];
    request.picture = at::empty({picture.working_size.height, picture.working_size.width, 4},
                                at::TensorOptions().dtype(at::kByte).device(at::kMeta));
    request.seed = one.seed;
    results::RunRecord record;
    record.job = to_json(one);
    record.deciding_job = deciding_json(one);
    record.picture = one.images.front().string();
    record.picture_size = picture.size;
    record.working_size = picture.working_size;
    record.layer_size = job.original_size ? picture.size : picture.working_size;
    record.seed = one.seed;
    record.picture_hash = picture.hash;
    work_.requests.push_back(request);
    work_.records.push_back(std::move(record));
  }
}

common::Range Inputs::pictures_of(const common::Range& results) const {
  return {results.begin / job_.num_images, (results.end - 1) / job_.num_images + 1};
}

// Those that are not at hand: what was noticed about them has been said. The window at work is not looked at
// while it changes: window() runs when no thread reads.
std::map<std::int64_t, at::Tensor> Inputs::read(const common::Range& pictures) const {
  std::map<std::int64_t, at::Tensor> read;
  for (std::int64_t i = pictures.begin; i < pictures.end; ++i) {
    if (kept_.contains(i) || window_.contains(i)) continue;
    if (stop_requested_.load() || is_abandoned_.load()) throw common::InterruptedError();
    communicator_.report_progress();
    const std::filesystem::path& file = job_.images[static_cast<std::size_t>(i)];
    const at::Tensor pixels = at_working_size(media::read_picture(file).image, file, job_.resolution);
    if (results::pixel_hash(pixels) != pictures_[static_cast<std::size_t>(i)].hash) {
      throw common::InputError(
          file.string() + " has changed since the run began",
          "Leave pictures alone until the run is over, and start it again for this one.");
    }
    read[i] = pixels;
  }
  return read;
}

void Inputs::read_ahead(const common::Range& results) {
  if (communicator_.rank() != 0) return;
  ahead_pictures_ = pictures_of(results);
  ahead_ = std::async(std::launch::async, [this, pictures = ahead_pictures_] { return read(pictures); });
}

std::vector<runtime::Request> Inputs::window(const common::Range& results) {
  const common::Range wanted = pictures_of(results);
  std::map<std::int64_t, at::Tensor> pixels;
  comm::run_collectively(communicator_, "reading the pictures", [&] {
    if (communicator_.rank() != 0) return;
    communicator_.now_doing("reading pictures");
    std::map<std::int64_t, at::Tensor> read;
    if (ahead_.valid() && ahead_pictures_ == wanted) {
      read = ahead_.get();
    } else {
      read = this->read(wanted);
    }
    for (std::int64_t i = wanted.begin; i < wanted.end; ++i) {
      if (window_.contains(i)) continue;  // taken below
      const auto found = read.find(i);
      pixels[i] = found != read.end() ? found->second : kept_.at(i);
    }
  });
  for (std::int64_t i = wanted.begin; i < wanted.end; ++i) {
    if (const auto before = window_.find(i); before != window_.end()) {
      pixels[i] = before->second;  // the same tensor: it is encoded once
      continue;
    }
    if (communicator_.size() == 1) continue;
    const bool sends = communicator_.rank() == 0;
    std::vector<std::byte> mine;
    if (sends) mine.assign(bytes_of(pixels[i]).begin(), bytes_of(pixels[i]).end());
    const auto bytes = communicator_.broadcast(std::move(mine), 0, "sending a picture");
    if (!sends) pixels[i] = pixels_from(bytes, pictures_[static_cast<std::size_t>(i)].working_size);
  }
  window_ = std::move(pixels);
  std::vector<runtime::Request> requests(work_.requests.begin() + results.begin,
                                         work_.requests.begin() + results.end);
  for (std::int64_t i = results.begin; i < results.end; ++i)
    requests[static_cast<std::size_t>(i - results.begin)].picture = window_.at(i / job_.num_images);
  return requests;
}

}  // namespace layerpipe::session
