// The forms in which people have quantised weights, recognised from the headers of a component's files.
//
// Each of them stores a matrix in 8 bits, with a scale for all of it, for each of its rows, or with none.
// What each looks like was seen in files, or in the program that writes it. model/weights/foreign_weights.h
// has those that are not read.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/ops/quantised_weight.h"

namespace layerpipe::model {

// What the name of a scale has behind that of its matrix: "m.weight_scale". Of the forms below, ComfyUI's
// older one alone has another name.
inline constexpr std::string_view kScaleSuffix = "_scale";

enum class QuantisedFormat {
  kPlainFp8,       // "m.weight" in F8_E4M3 alone
  kScaledFp8,      // with "m.weight_scale": ModelOpt, SGLang, LightX2V, layerpipe quantize
  kOldComfyFp8,    // with "m.scale_weight", and one tensor "scaled_fp8" for all
  kComfyFp8,       // with "m.weight_scale", marked by "m.comfy_quant" or in the header's metadata
  kComfyInt8,      // the same in I8
  kComfyConvRot8,  // the same, each group of inputs turned by a matrix
};
// "ComfyUI's fp8 (e4m3)"
const char* to_string(QuantisedFormat format);

struct QuantisedTensor {
  QuantisedFormat format{};
  std::string scale;  // the tensor that holds it; "" where there is none: it is 1
  // The order of the matrix that each group of inputs is turned by (ops::convrot_matrix); 0: they are not.
  std::int64_t rotated_group = 0;
  // The fastest product that the file allows.
  ops::Product fastest = ops::Product::kWeightOnly;
};

// A tensor as its file's header has it.
struct HeaderTensor {
  at::ScalarType dtype{};
  std::vector<std::int64_t> shape;
  std::string file;
};

struct ComponentHeaders {
  std::map<std::string, HeaderTensor> tensors;  // by the network's names
  // What files have under "_quantization_metadata" in their headers' metadata; the file goes first.
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string prefix;  // in front of all names in the files
  // The text that a tensor of U8 holds.
  std::function<std::string(const std::string& name)> read_text;
};

// Every quantised tensor, by its name. In a file without a scale these are all of F8_E4M3, since such files
// have biases and norms in it as well. Empty where there is no quantised matrix.
//
// Throws InputError that names the file, the tensor and what is missing: a mark without a tensor or a scale,
// a scale of another shape or dtype, or without its tensor, an unmarked I8, a tensor without a scale where
// others have one, a format that is not known.
std::map<std::string, QuantisedTensor> find_quantised_tensors(const ComponentHeaders& headers);

// Whether a tensor belongs to the quantisation of others and is no weight: scales, marks.
bool is_of_quantisation(const std::string& tensor);

}  // namespace layerpipe::model
