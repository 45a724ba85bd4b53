// The bounds on what a run writes, against files that are as large as they can get.
#include "results/disk_space.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <random>

#include "common/files.h"
#include "media/png_writer.h"
#include "model/pipeline/prompt_template.h"
#include "model/weights/safetensors.h"
#include "results/run_record.h"
#include "runtime/plan/plan_json.h"
#include "tests/launch/program.h"

namespace layerpipe::results {
namespace {

const std::vector<Format> kPng{Format::kPng};

runtime::Request request_of(std::int64_t height, std::int64_t width, std::int64_t layers) {
  runtime::Request request;
  request.picture = at::zeros({height, width, 4}, at::kByte);
  request.layers = layers;
  return request;
}

class DiskSpaceTest : public ::testing::TestWithParam<std::array<int, 3>> {
 protected:
  // The size of a file of the folder, which `write` makes.
  template <typename Write>
  std::uint64_t size_of(const std::string& name, Write&& write) const {
    write(folder_.path() / name);
    return std::filesystem::file_size(folder_.path() / name);
  }
  runtime::Request request() const { return request_of(GetParam()[0], GetParam()[1], GetParam()[2]); }

  layerpipe::testing::TemporaryFolder folder_;
};

TEST_P(DiskSpaceTest, PicturesOfNoiseFit) {
  const runtime::Request request = this->request();
  media::Image noise = media::make_image(GetParam()[1], GetParam()[0]);
  std::mt19937 random(7);
  for (auto& value : noise.pixels) value = static_cast<std::uint8_t>(random());
  const std::uint64_t picture = size_of("p.png", [&](const auto& path) { media::write_png(path, noise); });
  RunRecord record;
  record.step_seconds.assign(1000, 1.0 / 3);
  partition::Plan plan;
  plan.stages.resize(16);
  set_plan(record, runtime::plan_json(plan));
  record.ranks.resize(16);
  for (RecordedRank& rank : record.ranks) rank.seconds = rank.load_seconds = ByPhase<double>{};
  for (RecordedRank& rank : record.ranks) rank.edge.emplace();
  record.files.assign(33, "layer_31.png");
  const std::uint64_t json =
      size_of("run.json", [&](const auto& path) { common::write_file_atomically(path, run_json(record)); });
  const auto written = static_cast<std::uint64_t>(request.layers + 1) * picture + json;
  EXPECT_GE(most_result_bytes(request, {GetParam()[1], GetParam()[0]}, kPng), written);
  // Not so much more that a disk with room is refused.
  EXPECT_LE(most_result_bytes(request, {GetParam()[1], GetParam()[0]}, kPng),
            written * 5 / 4 + (std::uint64_t{3} << 20));
}

TEST_P(DiskSpaceTest, LatentsFit) {
  const runtime::Request request = this->request();
  model::ModelConfig model;
  const std::int64_t tokens = request.picture.size(0) / 16 * (request.picture.size(1) / 16);
  const std::int64_t channels = 4 * model.vae.z_dim;
  const at::Tensor latents = at::zeros({1, (request.layers + 1) * tokens, channels});
  const at::Tensor embeds = at::zeros({1, model::kLongestPrompt, model.text_encoder.hidden_size});
  const at::Tensor decoded = at::zeros({request.layers, 4, request.picture.size(0), request.picture.size(1)});
  const std::uint64_t written = size_of("latents.safetensors", [&](const auto& path) {
    model::write_safetensors(path, {{"init_latents", latents},
                                    {"latents", latents},
                                    {"image_latents", at::zeros({1, tokens, channels})},
                                    {"prompt_embeds", embeds},
                                    {"negative_prompt_embeds", embeds},
                                    {"decoded", decoded}});
  });
  EXPECT_GE(most_dump_bytes(request, model), written);
  EXPECT_LE(most_dump_bytes(request, model), written + (std::uint64_t{1} << 20));
}

INSTANTIATE_TEST_SUITE_P(Sizes, DiskSpaceTest,
                         ::testing::Values(std::array{32, 32, 1}, std::array{64, 96, 2},
                                           std::array{640, 512, 4}),
                         [](const auto& info) {
                           return std::to_string(info.param[0]) + "x" + std::to_string(info.param[1]);
                         });

// The refusal is for what does not fit, not for more.
TEST(DiskSpace, ADiskWithRoomIsTaken) {
  const layerpipe::testing::TemporaryFolder folder;
  const auto out = folder.path() / "out";
  const layerpipe::testing::Outcome outcome = layerpipe::testing::run_program(
      layerpipe::testing::decompose_arguments(out, {"--quiet", "--dump-latents", folder.path() / "d"}),
      {"LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE, "LAYERPIPE_TEST_FREE_BYTES=2000000",
       "LAYERPIPE_TEST_WRITABLE_BYTES=2000000"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(layerpipe::testing::files_below(out).size(), 4U);
}

}  // namespace
}  // namespace layerpipe::results
