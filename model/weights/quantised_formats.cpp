#include "model/weights/quantised_formats.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/errors.h"
#include "model/json_text.h"
#include "model/weights/foreign_weights.h"

namespace layerpipe::model {
namespace {

constexpr std::string_view kWeight = ".weight";
const std::string kScale = std::string(kWeight) + std::string(kScaleSuffix);
constexpr std::string_view kOldScale = ".scale_weight";
constexpr std::string_view kMark = ".comfy_quant";
constexpr std::string_view kOldMark = "scaled_fp8";
constexpr std::string_view kOldMarkBelow = ".scaled_fp8";
// Scales of activations, which are measured anew here.
constexpr std::array<std::string_view, 2> kInputScales{".input_scale", ".scale_input"};

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw common::InputError(
      file + ": " + what,
      std::string(
          "Download the file again; if it is as it was published, layerpipe does not read its form. ") +
          kDownloadOriginal);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

// "m" of "m.weight"; nothing for other names.
std::optional<std::string> stem_of(const std::string& name, std::string_view end) {
  if (!name.ends_with(end)) return std::nullopt;
  return name.substr(0, name.size() - end.size());
}

// What marks a layer as quantised, and says how.
struct Mark {
  std::string format;
  bool has_full_precision = false;
  bool is_rotated = false;
  std::optional<std::int64_t> group;  // that inputs are rotated in
  std::string place;                  // what messages call it
  std::string file;

  bool says_the_same(const Mark& other) const {
    return format == other.format && has_full_precision == other.has_full_precision &&
           is_rotated == other.is_rotated && group == other.group;
  }
};

Mark read_mark(const nlohmann::json& json, const std::string& file, const std::string& place) {
  Mark mark{.place = place, .file = file};
  if (!json.is_object()) refuse(file, place + " is not a JSON object");
  for (const auto& [key, value] : json.items()) {
    if (key == "format" && value.is_string()) {
      mark.format = value.get<std::string>();
    } else if (key == "full_precision_matrix_mult" && value.is_boolean()) {
      mark.has_full_precision = value.get<bool>();
    } else if (key == "convrot" && value.is_boolean()) {
      mark.is_rotated = value.get<bool>();
    } else if (key == "convrot_groupsize" && value.is_number_unsigned()) {
      mark.group = static_cast<std::int64_t>(
          std::min<std::uint64_t>(value.get<std::uint64_t>(), std::numeric_limits<std::int64_t>::max()));
    } else {
      refuse(file, place + " says " + shown(key) + ": " + shown(value) + ", which layerpipe does not know");
    }
  }
  if (mark.format.empty()) refuse(file, place + " names no \"format\"");
  return mark;
}

// 1, or "1" and "1.x" of numbers: what is added to a version keeps its first one.
bool is_known_version(const nlohmann::json& version) {
  if (version.is_number()) return version.get<double>() >= 1 && version.get<double>() < 2;
  if (!version.is_string()) return false;
  const auto& text = version.get_ref<const std::string&>();
  if (text.find_first_not_of("0123456789.") != std::string::npos || text.ends_with('.')) return false;
  return text == "1" || text.starts_with("1.");
}

class Finder {
 public:
  explicit Finder(const ComponentHeaders& headers) : headers_(headers) {}

  std::map<std::string, QuantisedTensor> find() {
    read_marks();
    read_old_mark();
    for (const auto& [stem, mark] : marks_) take_marked(stem, mark);
    for (const auto& [name, tensor] : headers_.tensors) take_unmarked(name, tensor);
    check_scales();
    take_plain();
    check_that_all_is_known();
    return found_;
  }

 private:
  const HeaderTensor* tensor(const std::string& name) const {
    const auto found = headers_.tensors.find(name);
    return found == headers_.tensors.end() ? nullptr : &found->second;
  }

  void add_mark(const std::string& stem, const Mark& mark) {
    const auto [before, is_new] = marks_.emplace(stem, mark);
    if (!is_new && !before->second.says_the_same(mark))
      refuse(mark.file, before->second.place + " and " + mark.place + " say different things");
  }

  void read_marks() {
    for (const auto& [name, info] : headers_.tensors) {
      const auto stem = stem_of(name, kMark);
      if (!stem) continue;
      const std::string place = "tensor " + shown(name);
      const auto json = parse_json(headers_.read_text(name), info.file + ": " + place);
      add_mark(*stem, read_mark(json, info.file, place));
    }
    for (const auto& [file, text] : headers_.metadata) read_metadata(file, text);
  }

  void read_metadata(const std::string& file, const std::string& text) {
    const std::string place = "\"_quantization_metadata\" of its header";
    const auto json = parse_json(text, file + ": " + place);
    if (!json.is_object() || !json.contains("layers") || !json.at("layers").is_object())
      refuse(file, place + " has no \"layers\"");
    if (json.contains("format_version") && !is_known_version(json.at("format_version")))
      refuse(file,
             place + " is of version " + shown(json.at("format_version")) + "; layerpipe knows version 1");
    for (const auto& [layer, says] : json.at("layers").items()) {
      const std::string stem =
          layer.starts_with(headers_.prefix) ? layer.substr(headers_.prefix.size()) : layer;
      add_mark(stem, read_mark(says, file, shown(layer) + " in " + place));
    }
  }

  // Its dtype tells that of the weights, and two elements in place of none or one that the products are full.
  void read_old_mark() {
    for (const auto& [name, info] : headers_.tensors) {
      if (name.ends_with(kOldMarkBelow))
        refuse(info.file, "the mark " + shown(name) + " does not lie where the weights lie");
    }
    const HeaderTensor* mark = tensor(std::string(kOldMark));
    if (mark == nullptr) return;
    has_old_mark_ = true;
    if (mark->dtype != at::kFloat && mark->dtype != at::kFloat8_e4m3fn)
      refuse(mark->file, "the dtype of tensor \"scaled_fp8\" stands for weights in another one than F8_E4M3");
    if (mark->shape == std::vector<std::int64_t>{2}) old_product_ = ops::Product::kWeightOnly;
  }

  void take_marked(const std::string& stem, const Mark& mark) {
    const std::string name = stem + std::string(kWeight);
    const HeaderTensor* weight = tensor(name);
    if (weight == nullptr) refuse(mark.file, mark.place + " marks " + shown(name) + ", which is missing");
    QuantisedTensor entry{.scale = stem + kScale};
    at::ScalarType dtype = at::kChar;
    if (mark.format == "float8_e4m3fn") {
      dtype = at::kFloat8_e4m3fn;
      entry.format = QuantisedFormat::kComfyFp8;
      if (!mark.has_full_precision) entry.fastest = ops::Product::kFp8;
    } else if (mark.format == "int8_tensorwise") {
      entry.format = mark.is_rotated ? QuantisedFormat::kComfyConvRot8 : QuantisedFormat::kComfyInt8;
    } else {
      refuse(mark.file, mark.place + " says that " + shown(name) + " has the format " + shown(mark.format) +
                            ", which layerpipe does not read");
    }
    if (weight->dtype != dtype) {
      refuse(weight->file, "tensor " + shown(name) + " has another dtype than " + mark.format + ", which " +
                               mark.place + " says");
    }
    if (mark.is_rotated) entry.rotated_group = group_of(name, *weight, mark);
    add(name, *weight, entry);
  }

  static std::int64_t group_of(const std::string& name, const HeaderTensor& weight, const Mark& mark) {
    if (!mark.group) {
      refuse(mark.file, mark.place + " says that " + shown(name) +
                            " is rotated, and no \"convrot_groupsize\" says in which groups");
    }
    constexpr std::int64_t kMostGroup = 4096;
    const std::int64_t group = *mark.group;
    std::int64_t power = 4;
    while (power < group && power < kMostGroup) power *= 4;
    if (mark.format != "int8_tensorwise" || weight.shape.size() != 2 || group != power ||
        weight.shape[1] % group != 0) {
      refuse(mark.file,
             mark.place + " says that " + shown(name) + " is rotated in groups of " + std::to_string(group) +
                 "; layerpipe reads int8 in groups of a power of 4, 4096 at most, that divides the inputs");
    }
    return group;
  }

  // Adds a tensor with the scale that its entry names, which has to be there and of the right shape.
  void add(const std::string& name, const HeaderTensor& weight, const QuantisedTensor& entry) {
    const HeaderTensor* scale = tensor(entry.scale);
    if (scale == nullptr) {
      refuse(weight.file,
             "tensor " + shown(name) + " is quantised, but its scale " + shown(entry.scale) + " is missing");
    }
    if (weight.shape.size() != 2)
      refuse(weight.file, "tensor " + shown(name) + " is quantised, but no matrix: its shape is " +
                              shape_text(weight.shape));
    const std::int64_t rows = weight.shape.front();
    std::vector<std::int64_t> shape = scale->shape;
    if (shape.size() == 2 && shape.back() == 1) shape.pop_back();
    const bool is_right =
        shape.empty() || shape == std::vector<std::int64_t>{1} || shape == std::vector<std::int64_t>{rows};
    if (!is_right || scale->dtype != at::kFloat) {
      refuse(scale->file, "the scale " + shown(entry.scale) + " has shape " + shape_text(scale->shape) +
                              (scale->dtype == at::kFloat ? "" : " and is not F32") + "; " + shown(name) +
                              " needs F32 of one element, or of shape [" + std::to_string(rows) + "]");
    }
    found_.emplace(name, entry);
  }

  void take_unmarked(const std::string& name, const HeaderTensor& weight) {
    if (is_of_quantisation(name) || found_.contains(name)) return;
    const auto stem = stem_of(name, kWeight);
    if (!stem) return;
    if (weight.dtype == at::kFloat8_e5m2)
      refuse(weight.file, "tensor " + shown(name) +
                              " is F8_E5M2; layerpipe reads weights of 8 bits in "
                              "F8_E4M3 and, from ComfyUI, in I8");
    if (weight.dtype == at::kChar) {
      refuse(weight.file, "tensor " + shown(name) + " is I8, but its mark " +
                              shown(*stem + std::string(kMark)) +
                              " is missing, which says whether it is rotated");
    }
    if (weight.dtype != at::kFloat8_e4m3fn) return;
    const std::string old_scale = *stem + std::string(kOldScale);
    const std::string scale = *stem + kScale;
    if (has_old_mark_ || tensor(old_scale) != nullptr) {
      add(name, weight,
          {.format = QuantisedFormat::kOldComfyFp8, .scale = old_scale, .fastest = old_product_});
    } else if (tensor(scale) != nullptr) {
      if (!marks_.empty()) {
        refuse(weight.file, "tensor " + shown(name) + " is quantised and has no mark " +
                                shown(*stem + std::string(kMark)) + ", while others have one, such as " +
                                marks_.begin()->second.place);
      }
      add(name, weight,
          {.format = QuantisedFormat::kScaledFp8, .scale = scale, .fastest = ops::Product::kFp8});
    }
  }

  // Each scale belongs to a quantised tensor.
  void check_scales() const {
    for (const std::string_view end : {std::string_view(kScale), kOldScale}) {
      for (const auto& [name, info] : headers_.tensors) {
        const auto stem = stem_of(name, end);
        if (!stem) continue;
        const std::string weight = *stem + std::string(kWeight);
        const auto found = found_.find(weight);
        if (found != found_.end() && found->second.scale == name) continue;
        const char* why = tensor(weight) == nullptr ? ", which is missing" : ", which is not quantised so";
        refuse(info.file, "the scale " + shown(name) + " belongs to " + shown(weight) + why);
      }
    }
  }

  // Tensors in F8_E4M3 that are left have no scale. With scales beside them that is a mistake, and the
  // picture would be white.
  void take_plain() {
    const bool has_matrix =
        std::any_of(headers_.tensors.begin(), headers_.tensors.end(), [](const auto& entry) {
          return entry.second.dtype == at::kFloat8_e4m3fn && entry.second.shape.size() == 2;
        });
    if (!has_matrix) return;
    const std::size_t with_scale = found_.size();
    for (const auto& [name, info] : headers_.tensors) {
      constexpr std::size_t kMostDimensions = 2;  // convolutions are not stored so
      if (info.dtype != at::kFloat8_e4m3fn || is_of_quantisation(name) || found_.contains(name) ||
          info.shape.size() > kMostDimensions)
        continue;
      if (with_scale > 0) {
        const std::string& other = found_.begin()->second.scale;
        refuse(info.file, "tensor " + shown(name) + " is F8_E4M3 and has no scale, while " +
                              std::to_string(with_scale) + " other" + (with_scale == 1 ? " has" : "s have") +
                              " one, such as " + shown(other));
      }
      plain_.emplace(name,
                     QuantisedTensor{.format = QuantisedFormat::kPlainFp8, .fastest = ops::Product::kFp8});
    }
    found_.merge(plain_);
  }

  // A scale under a name that is not known would be left out, and the picture would be wrong without a word.
  // Whatever lies beside a quantised matrix changes what it stands for.
  void check_that_all_is_known() const {
    if (found_.empty()) return;
    for (const auto& [name, info] : headers_.tensors) {
      const std::string layer = layer_beside(name);
      if (!layer.empty() && !is_known_beside(name, layer)) {
        refuse(info.file, "tensor " + shown(name) + " lies beside the quantised " +
                              shown(layer + std::string(kWeight)) +
                              ", and layerpipe does not know what it does there");
      }
      if (layer.empty() && !is_of_quantisation(name) && name.find("scale") != std::string::npos)
        refuse(info.file, "tensor " + shown(name) +
                              " may be a scale of quantised weights, of a kind that "
                              "layerpipe does not know");
    }
  }

  // The layer of a quantised matrix that a tensor lies below; empty: none.
  std::string layer_beside(const std::string& name) const {
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      const std::string layer = name.substr(0, dot);
      const auto found = found_.find(layer + std::string(kWeight));
      if (found != found_.end()) return layer;
    }
    return {};
  }

  bool is_known_beside(const std::string& name, const std::string& layer) const {
    const std::string end = name.substr(layer.size());
    if (end == kWeight || end == ".bias" || end == kMark) return true;
    const QuantisedTensor& entry = found_.at(layer + std::string(kWeight));
    if (name == entry.scale) return true;
    // Scales of activations go with one of the weight.
    return !entry.scale.empty() && std::ranges::find(kInputScales, end) != kInputScales.end();
  }

  const ComponentHeaders& headers_;
  std::map<std::string, Mark> marks_;  // by layer
  bool has_old_mark_ = false;
  ops::Product old_product_ = ops::Product::kFp8;
  std::map<std::string, QuantisedTensor> found_;
  std::map<std::string, QuantisedTensor> plain_;
};

}  // namespace

const char* to_string(QuantisedFormat format) {
  switch (format) {
    case QuantisedFormat::kPlainFp8:
      return "plain e4m3";
    case QuantisedFormat::kScaledFp8:
      return "e4m3 with scales";
    case QuantisedFormat::kOldComfyFp8:
      return "ComfyUI's older scaled e4m3";
    case QuantisedFormat::kComfyFp8:
      return "ComfyUI's e4m3";
    case QuantisedFormat::kComfyInt8:
      return "ComfyUI's int8";
    case QuantisedFormat::kComfyConvRot8:
      return "ComfyUI's int8 ConvRot";
  }
  throw common::InternalError("a format of quantised weights has no name");
}

std::map<std::string, QuantisedTensor> find_quantised_tensors(const ComponentHeaders& headers) {
  return Finder(headers).find();
}

bool is_of_quantisation(const std::string& tensor) {
  if (tensor == kOldMark || tensor.ends_with(kOldMarkBelow)) return true;
  for (const std::string_view end :
       {std::string_view(kScale), kOldScale, kMark, kInputScales[0], kInputScales[1]}) {
    if (tensor.ends_with(end)) return true;
  }
  return false;
}

}  // namespace layerpipe::model
