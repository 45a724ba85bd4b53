#include "tests/support/parity_case.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ne.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "model/weights/safetensors.h"

namespace layerpipe::testing {

std::vector<std::string> parity_case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(test_data() / "parity")) {
    if (std::filesystem::exists(entry.path() / "case.json"))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> bf16_parity_case_names() {
  std::vector<std::string> names = parity_case_names();
  std::erase_if(names, [](const std::string& name) { return !load_parity_case(name).has_bf16; });
  return names;
}

ParityCase load_parity_case(const std::string& name) {
  ParityCase parity;
  parity.name = name;
  parity.folder = test_data() / "parity" / name;
  const auto json = nlohmann::json::parse(common::read_text_file(parity.folder / "case.json"));
  const model::SafetensorsFile file(parity.folder / "expected.safetensors");
  for (const auto& [key, info] : file.tensors()) {
    at::Tensor tensor = file.read(key);
    if (tensor.dim() == 3 && tensor.size(0) == 1) tensor = tensor.squeeze(0);
    parity.expected[key] = tensor;
  }
  parity.resolution = json.at("resolution");
  parity.has_bf16 = json.at("bf16");
  runtime::Request& request = parity.request;
  request.picture = parity.expected.at("resized");
  request.prompt = json.at("prompt");
  if (!json.at("negative_prompt").is_null()) request.negative_prompt = json.at("negative_prompt");
  request.layers = json.at("layers");
  request.steps = json.at("steps");
  request.cfg_scale = json.at("true_cfg_scale");
  request.cfg_normalize = json.at("cfg_normalize") ? model::NormRescale::kOn : model::NormRescale::kOff;
  request.seed = json.at("seed");
  return parity;
}

double relative_l2(const at::Tensor& value, const at::Tensor& truth) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (value.numel() != truth.numel()) return kInfinity;
  const at::Tensor a = value.to(at::kDouble).flatten();
  const at::Tensor b = truth.to(at::kDouble).flatten();
  const double error = (at::linalg_vector_norm(a - b) / at::linalg_vector_norm(b)).item<double>();
  return error == error ? error : kInfinity;
}

::testing::AssertionResult is_close(const at::Tensor& value, const at::Tensor& truth, double limit) {
  const double error = relative_l2(value, truth);
  if (error <= limit) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "relative L2 error " << error << " is above " << limit;
}

::testing::AssertionResult is_equal(const at::Tensor& value, const at::Tensor& truth) {
  if (value.scalar_type() != truth.scalar_type()) return ::testing::AssertionFailure() << "the dtypes differ";
  if (value.sizes() != truth.sizes()) return ::testing::AssertionFailure() << "the shapes differ";
  if (at::equal(value, truth)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << at::ne(value, truth).sum().item<std::int64_t>() << " of " << value.numel()
         << " values differ, relative L2 " << relative_l2(value, truth);
}

}  // namespace layerpipe::testing
