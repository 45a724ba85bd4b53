#include "model/quantisation_config.h"

#include <string>
#include <vector>

#include "common/errors.h"
#include "model/json_fields.h"
#include "model/weights/foreign_weights.h"

namespace layerpipe::model {
namespace {

constexpr const char* kQuantisation = "quantization_config";

// A text or a number as a message shows it; empty for what is neither.
std::string word_in(JsonFields& fields, const std::string& key) {
  if (!fields.has(key)) return {};
  const auto value = fields.get<nlohmann::json>(key);
  const std::string text = shown(value);
  if (value.is_string()) return text.size() < 2 ? text : text.substr(1, text.size() - 2);
  return value.is_number() ? text : std::string();
}

// What tells the sorts of one method of quantisation from each other.
std::vector<std::string> details_of(JsonFields& quantisation) {
  if (quantisation.has("load_in_8bit") && quantisation.get<nlohmann::json>("load_in_8bit") == true)
    return {"8 bits"};
  std::vector<std::string> details;
  const std::string bits = word_in(quantisation, "bits");
  if (!bits.empty()) details.push_back(bits + " bits");
  for (const char* key : {"bnb_4bit_quant_type", "quant_type", "weights_dtype", "format"}) {
    const std::string word = word_in(quantisation, key);
    if (!word.empty()) details.push_back(word);
  }
  return details;
}

// Whether the config tells of e4m3 with a scale for a layer or for a row, which the tensors show as well
// (model/weights/quantised_formats.h). "fp8" is also what Transformers calls weights with scales of blocks.
bool is_scaled_fp8(JsonFields& quantisation, const std::string& method) {
  if (method == "fp8") return !quantisation.has("weight_block_size");
  return method == "modelopt" && word_in(quantisation, "quant_algo") == "FP8";
}

void refuse_quantised_in(JsonFields& fields) {
  for (const char* key : {kQuantisation, "compression_config"}) {
    if (!fields.has(key)) continue;
    JsonFields quantisation = fields.get_object(key);
    std::string method = word_in(quantisation, "quant_method");
    if (is_scaled_fp8(quantisation, method)) continue;
    // Configs of early bitsandbytes do not name it.
    if (method.empty()) method = quantisation.has("load_in_8bit") ? "bitsandbytes" : "an unnamed program";
    throw common::InputError(fields.where() + ": the weights are quantised in the form of " +
                                 quantisation_form(method, details_of(quantisation)) +
                                 ", which layerpipe does not read",
                             kDownloadOriginal);
  }
}

}  // namespace

void refuse_quantised(const std::filesystem::path& config) {
  JsonFields fields = JsonFields::from_file(config);
  refuse_quantised_in(fields);
  if (!fields.has("text_config")) return;
  JsonFields nested = fields.get_object("text_config");
  refuse_quantised_in(nested);
}

bool says_scaled_fp8(const std::filesystem::path& config) {
  JsonFields fields = JsonFields::from_file(config);
  if (!fields.has(kQuantisation)) return false;
  JsonFields quantisation = fields.get_object(kQuantisation);
  return is_scaled_fp8(quantisation, word_in(quantisation, "quant_method"));
}

}  // namespace layerpipe::model
