#include "model/weights/foreign_weights.h"

#include <algorithm>
#include <array>

namespace layerpipe::model {
namespace {

constexpr bool has(std::string_view name, std::string_view part) {
  return name.find(part) != name.npos;
}

// A part of a name, and the form that it shows; the first that is found counts, so what several forms have
// stands behind what one of them has alone.
struct Sign {
  std::string_view part;
  std::string_view form;
};
constexpr std::array kQuantisationSigns{Sign{".quant_state.bitsandbytes__", "bitsandbytes (4 bits)"},
                                        Sign{".SCB", "bitsandbytes (8 bits)"},
                                        Sign{".wscales", "nunchaku (SVDQuant)"},
                                        Sign{".smooth_factor", "nunchaku (SVDQuant)"},
                                        Sign{".weight._data", "quanto"},
                                        Sign{"._weight_qdata", "torchao"},
                                        Sign{".weight_packed", "compressed-tensors"},
                                        Sign{".W_q", "HQQ"},
                                        Sign{".codebooks", "AQLM"},
                                        Sign{".g_idx", "GPTQ"},
                                        Sign{".qzeros", "AWQ"},
                                        Sign{".qweight", "GPTQ or AWQ"},
                                        Sign{".svd_up", "SDNQ"},
                                        Sign{".zero_point", "SDNQ"},
                                        Sign{".weight_scale_inv", "fp8 in blocks"},
                                        Sign{".weight_scales", "EETQ"}};

// Methods as config.json writes them, where people know them by another name.
struct Method {
  std::string_view written;
  std::string_view known_as;
};
constexpr std::array kMethods{Method{"gptq", "GPTQ"},
                              Method{"awq", "AWQ"},
                              Method{"gguf", "GGUF"},
                              Method{"hqq", "HQQ"},
                              Method{"aqlm", "AQLM"},
                              Method{"sdnq", "SDNQ"},
                              Method{"svdquant", "nunchaku (SVDQuant)"},
                              Method{"nunchaku", "nunchaku (SVDQuant)"},
                              Method{"nunchaku_lite", "nunchaku (SVDQuant)"},
                              Method{"modelopt", "ModelOpt"}};

constexpr std::array kAdapterSigns{Sign{"lora_magnitude_vector", "DoRA"},
                                   Sign{".dora_scale", "DoRA"},
                                   Sign{".lora_A.", "LoRA"},
                                   Sign{".lora_B.", "LoRA"},
                                   Sign{".lora_down.", "LoRA"},
                                   Sign{".lora_up.", "LoRA"},
                                   Sign{".lora.", "LoRA"},
                                   Sign{"_lora.", "LoRA"},
                                   Sign{"lora_unet_", "LoRA"},
                                   Sign{".lokr_", "LoKr"},
                                   Sign{".hada_", "LoHa"},
                                   Sign{"lycoris_", "LyCORIS"},
                                   Sign{".oft_", "OFT"}};
constexpr std::array kAdapterEnds{Sign{".alpha", "LoRA"}, Sign{".diff", "difference of weights"},
                                  Sign{".diff_b", "difference of weights"},
                                  Sign{".set_weight", "difference of weights"}};

struct FileSign {
  std::string_view begin;
  const char* what;
  const char* cure;
};
constexpr const char* kConvert =
    "Save the weights as safetensors: safetensors.torch.save_file(torch.load(\"FILE\", weights_only=True), "
    "\"NAME.safetensors\") in Python, or download them as safetensors.";
constexpr std::array kFileSigns{
    FileSign{"version ", "is a Git LFS pointer, not the file that it stands for",
             "Fetch the files: git lfs pull, in the model's folder."},
    FileSign{"GGUF", "is a GGUF file; layerpipe reads safetensors", kDownloadOriginal},
    FileSign{{"PK\x03\x04", 4}, "is a pickle that torch.save wrote; layerpipe reads safetensors", kConvert},
    FileSign{{"\x80\x02", 2}, "is a pickle that torch.save wrote; layerpipe reads safetensors", kConvert},
    FileSign{"<!", "is a web page, not the file", "Download it again, from the address of the file itself."},
    FileSign{"<html", "is a web page, not the file",
             "Download it again, from the address of the file itself."}};

}  // namespace

std::optional<Quantisation> quantisation_of(const std::vector<std::string>& names) {
  for (const Sign& sign : kQuantisationSigns) {
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const std::string& name) { return has(name, sign.part); });
    if (found != names.end()) return Quantisation{std::string(sign.form), *found};
  }
  return std::nullopt;
}

std::string quantisation_form(const std::string& method, const std::vector<std::string>& details) {
  const auto known = std::find_if(kMethods.begin(), kMethods.end(),
                                  [&](const Method& entry) { return entry.written == method; });
  std::string form = known == kMethods.end() ? method : std::string(known->known_as);
  std::string all;
  for (const std::string& detail : details) all += (all.empty() ? "" : ", ") + detail;
  return all.empty() ? form : form + " (" + all + ")";
}

std::string_view adapter_of(std::string_view tensor) {
  for (const Sign& sign : kAdapterSigns) {
    if (has(tensor, sign.part)) return sign.form;
  }
  for (const Sign& sign : kAdapterEnds) {
    if (tensor.ends_with(sign.part)) return sign.form;
  }
  return {};
}

std::optional<ForeignFile> foreign_file(std::span<const std::byte> first_bytes) {
  const std::string_view begin(reinterpret_cast<const char*>(first_bytes.data()), first_bytes.size());
  for (const FileSign& sign : kFileSigns) {
    if (begin.starts_with(sign.begin)) return ForeignFile{sign.what, sign.cure};
  }
  return std::nullopt;
}

}  // namespace layerpipe::model
