// The model folder and its config files; tests/model/config_test.cpp has every field.
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kCopyAgain = "Copy the file from the model's original folder again.";

// The model in the hub's cache, as a download leaves it. Gives its repository's folder there.
std::filesystem::path put_into_cache(const Workplace& w) {
  const std::string repository = "hub/models--Qwen--Qwen-Image-Layered";
  w.write(repository + "/refs/main", "0a1b2c");
  std::filesystem::create_directories(w.folder() / repository / "snapshots");
  std::filesystem::copy(w.model(), w.folder() / repository / "snapshots" / "0a1b2c",
                        std::filesystem::copy_options::recursive);
  return w.folder() / repository;
}

std::vector<RefusalCase> folders() {
  const std::string section = "The model folder";
  const std::string give = "Give the folder of a model in diffusers layout to --model.";
  return {
      {"NoModelFolder", section, "a model folder that is not there",
       [](Workplace& w) { w.set("--model", w.folder() / "nowhere"); },
       "FOLDER/nowhere is not a model folder: it has no model_index.json", give},
      {"NoModelIndex", section, "a folder without model_index.json",
       [](Workplace& w) { w.remove_file("model/model_index.json"); },
       "MODEL is not a model folder: it has no model_index.json", give},
      {"NoModelIndexToInspect", section, "the same, for `inspect`",
       [](Workplace& w) {
         w.use({"inspect", "--model", w.folder() / "nowhere"});
       },
       "FOLDER/nowhere is not a model folder: it has no model_index.json", give},
      {"UnsupportedPipeline", section, "a model of another pipeline",
       [](Workplace& w) { w.patch_json("model/model_index.json", R"({"_class_name": "FluxPipeline"})"); },
       "MODEL/model_index.json: the pipeline class is \"FluxPipeline\"; layerpipe runs "
       "QwenImageLayeredPipeline "
       "and QwenImagePipeline",
       "Give the folder of a Qwen-Image-Layered model to --model."},
      {"TextToImagePipeline", section, "a model that makes pictures from text",
       [](Workplace& w) {
         w.patch_json("model/model_index.json", R"({"_class_name": "QwenImagePipeline"})");
       },
       "MODEL holds a QwenImagePipeline, which makes pictures from text",
       "To take a picture apart, give a QwenImageLayeredPipeline to --model."},
      {"UnsupportedComponent", section, "a component of another class",
       [](Workplace& w) {
         w.patch_json("model/model_index.json", R"({"vae": ["diffusers", "AutoencoderKL"]})");
       },
       "MODEL/model_index.json: component \"vae\" is [\"diffusers\",\"AutoencoderKL\"]; layerpipe needs "
       "AutoencoderKLQwenImage",
       "Give the folder of a Qwen-Image-Layered model to --model."},
      {"UnknownComponent", section, "a component that layerpipe does not know",
       [](Workplace& w) {
         w.patch_json("model/model_index.json",
                      R"({"controlnet": ["diffusers", "QwenImageControlNetModel"]})");
       },
       "MODEL/model_index.json: layerpipe does not know the field \"controlnet\"",
       "The model may need a newer layerpipe; ignoring the field could change its pictures."},
      {"ComponentNotListed", section, "a model_index.json without one of the components",
       [](Workplace& w) { w.patch_json("model/model_index.json", R"({"vae": null})"); },
       "MODEL/model_index.json: field \"vae\" is missing", kCopyAgain},
      {"ComponentSavedAsNull", section, "a model that was saved without one of its components",
       [](Workplace& w) { w.patch_json("model/model_index.json", R"({"vae": [null, null]})"); },
       "MODEL/model_index.json: component \"vae\" is [null,null]: the pipeline was saved without it",
       "Give a folder with all components to --model, or copy \"vae\", with its entry in model_index.json, "
       "from "
       "the model's original folder."},
      {"PartOfAModel", section, "a component's folder for the model's",
       [](Workplace& w) { w.set("--model", w.model() / "transformer"); },
       "MODEL/transformer is not a model folder: it has no model_index.json", "Give MODEL to --model."},
      {"FileForAModel", section, "a file for the model's folder",
       [](Workplace& w) { w.set("--model", w.model() / "model_index.json"); },
       "MODEL/model_index.json is a file, not a model folder", "Give MODEL to --model."},
      {"ModelInTheCache", section, "a model's folder in the cache of Hugging Face's hub",
       [](Workplace& w) { w.set("--model", put_into_cache(w)); },
       "FOLDER/hub/models--Qwen--Qwen-Image-Layered belongs to the cache of Hugging Face's hub; the model "
       "lies "
       "in one of its snapshots",
       "Give FOLDER/hub/models--Qwen--Qwen-Image-Layered/snapshots/0a1b2c to --model."},
      {"TheWholeCache", section, "the cache itself",
       [](Workplace& w) {
         put_into_cache(w);
         w.set("--model", w.folder() / "hub");
       },
       "FOLDER/hub is a cache of Hugging Face's hub, not a model folder",
       "Give FOLDER/hub/models--Qwen--Qwen-Image-Layered/snapshots/0a1b2c to --model."},
      {"RepositoryInTheCache", section, "the name of a model on the hub, which was downloaded before",
       [](Workplace& w) {
         put_into_cache(w);
         w.set("--model", "Qwen/Qwen-Image-Layered");
         w.set_environment("HF_HUB_CACHE=" + (w.folder() / "hub").string());
       },
       "there is no folder Qwen/Qwen-Image-Layered; it looks like the name of a model on Hugging Face's hub, "
       "which is in the cache",
       "Give FOLDER/hub/models--Qwen--Qwen-Image-Layered/snapshots/0a1b2c to --model."},
      {"RepositoryOnTheHub", section, "the name of a model on the hub, which was not downloaded",
       [](Workplace& w) {
         w.set("--model", "Qwen/Qwen-Image-Layered");
         for (const char* variable :
              {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"})
           w.set_environment(std::string(variable) + "=" + (w.folder() / "empty").string());
       },
       "there is no folder Qwen/Qwen-Image-Layered; it looks like the name of a model on Hugging Face's hub",
       "Download it: hf download Qwen/Qwen-Image-Layered --local-dir Qwen-Image-Layered, and give --model "
       "Qwen-Image-Layered."},
      {"ComponentFolderMissing", section, "a model folder without one of its components",
       [](Workplace& w) { std::filesystem::remove_all(w.model() / "vae"); },
       "MODEL/vae/config.json is missing", "Copy or download the model's missing files."},
  };
}

std::vector<RefusalCase> configs() {
  const std::string section = "Config files";
  return {
      {"ConfigIsNotJson", section, "a config file that is not JSON",
       [](Workplace& w) { w.write("model/vae/config.json", "{\"z_dim\": 16,"); },
       "MODEL/vae/config.json is not JSON: parse error at line 1, column 14: syntax error while parsing "
       "object key - unexpected end of input; expected string literal",
       kCopyAgain},
      {"ConfigWithByteOrderMark", section, "a config file that an editor saved with a byte order mark",
       [](Workplace& w) { w.write("model/vae/config.json", "\xEF\xBB\xBF{}"); },
       "MODEL/vae/config.json begins with a byte order mark, which is not JSON",
       "Save the file as UTF-8 without a byte order mark (BOM)."},
      {"ConfigIsNotUtf8", section, "a config file that is not UTF-8",
       [](Workplace& w) { w.write("model/vae/config.json", "{\"z_dim\": \"\xE9\"}"); },
       "MODEL/vae/config.json is not UTF-8: byte 0xE9 at offset 11",
       "Save the file as UTF-8, or copy it from the model's original folder again."},
      {"ConfigSaysItTwice", section, "a config file that gives one field two values",
       [](Workplace& w) { w.write("model/vae/config.json", R"({"z_dim": 16, "z_dim": 8})"); },
       "MODEL/vae/config.json has the key \"z_dim\" twice in one object", kCopyAgain},
      {"ConfigNumberTooLarge", section, "a number that no computer number holds",
       [](Workplace& w) { w.write("model/vae/config.json", R"({"z_dim": 1e999})"); },
       "MODEL/vae/config.json has the number 1e999 in line 1, which is too large", kCopyAgain},
      {"ConfigTooDeep", section, "a config file of a hundred thousand brackets",
       [](Workplace& w) { w.write("model/vae/config.json", std::string(100000, '[')); },
       "MODEL/vae/config.json is nested deeper than 64 levels", kCopyAgain},
      {"ConfigLacksAField", section, "a config file without a field that is needed",
       [](Workplace& w) { w.patch_json("model/vae/config.json", R"({"latents_std": null})"); },
       "MODEL/vae/config.json: field \"latents_std\" is missing", kCopyAgain},
      {"ConfigHasAnUnknownField", section, "a config file with a field that layerpipe does not know",
       [](Workplace& w) { w.patch_json("model/transformer/config.json", R"({"num_experts": 8})"); },
       "MODEL/transformer/config.json: layerpipe does not know the field \"num_experts\"",
       "The model may need a newer layerpipe; ignoring the field could change its pictures."},
      {"ConfigFieldOfAnotherType", section, "a field of another type",
       [](Workplace& w) { w.patch_json("model/transformer/config.json", R"({"num_layers": 2.5})"); },
       "MODEL/transformer/config.json: field \"num_layers\" has the wrong type: 2.5", kCopyAgain},
      {"ConfigFieldOutOfRange", section, "a field out of range",
       [](Workplace& w) { w.patch_json("model/transformer/config.json", R"({"num_layers": 0})"); },
       "MODEL/transformer/config.json: field \"num_layers\" is 0; 1 to 10000 is possible", kCopyAgain},
      {"ConfigSettingNotSupported", section, "a setting that layerpipe does not follow",
       [](Workplace& w) {
         w.patch_json("model/scheduler/scheduler_config.json", R"({"use_beta_sigmas": true})");
       },
       "MODEL/scheduler/scheduler_config.json: \"use_beta_sigmas\": true is not supported: no model of this "
       "family is trained for it",
       "The model may need a newer layerpipe, or another program."},
      {"ConfigsDoNotFitTogether", section, "components of different models",
       [](Workplace& w) { w.patch_json("model/transformer/config.json", R"({"joint_attention_dim": 64})"); },
       "MODEL: transformer (joint_attention_dim 64) and text_encoder (hidden_size 32) do not fit together",
       "Check that all components belong to the same model."},
      {"VaeWithoutAlpha", section, "a VAE that knows no transparency",
       [](Workplace& w) {
         w.patch_json("model/vae/config.json", R"({"input_channels": 3})");
         w.add({"--random-weights"});
       },
       "the VAE reads 3 channels; taking a picture apart needs 4 (RGBA)",
       "Give the folder of a Qwen-Image-Layered model to --model."},
  };
}

}  // namespace

std::vector<RefusalCase> model_cases() {
  std::vector<RefusalCase> all = folders();
  for (const RefusalCase& refusal : configs()) all.push_back(refusal);
  return all;
}

}  // namespace layerpipe::testing
