#include "model/component.h"

#include "common/errors.h"
#include "model/quantisation_config.h"
#include "model/weights/foreign_weights.h"

namespace layerpipe::model {
namespace {

void check_scales(const std::filesystem::path& component, const SafetensorsSource& source) {
  const std::filesystem::path config = component / "config.json";
  // What reads the config needs it; weights alone can be looked at.
  if (!std::filesystem::exists(config) || !says_scaled_fp8(config)) return;
  for (const auto& [name, tensor] : source.quantised()) {
    if (tensor.format != QuantisedFormat::kPlainFp8) continue;
    throw common::InputError(component.string() + ": tensor \"" + name +
                                 "\" is F8_E4M3 and has no scale, while config.json says that such weights "
                                 "have",
                             std::string("Download the files again; if they are as they were published, "
                                         "layerpipe does not read their form. ") +
                                 kDownloadOriginal);
  }
}

}  // namespace

std::shared_ptr<const SafetensorsSource> open_component(const std::filesystem::path& model,
                                                        const std::string& component,
                                                        const std::string& variant,
                                                        const ComponentFiles& files) {
  const auto file = files.find(component);
  if (file != files.end()) return std::make_shared<SafetensorsSource>(file->second);
  auto source = std::make_shared<SafetensorsSource>(model / component, weight_file_stem(component), variant);
  check_scales(model / component, *source);
  return source;
}

}  // namespace layerpipe::model
