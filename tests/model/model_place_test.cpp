// What is said of a path that is no model folder.
#include "model/model_place.h"

#include <stdlib.h>

#include "common/errors.h"
#include "common/files.h"
#include "model/config.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGive = "Give the folder of a model in diffusers layout to --model.";

class ModelPlaceTest : public ::testing::Test {
 protected:
  ModelPlaceTest() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"})
      ::unsetenv(name);
    ::setenv("HOME", path("home").c_str(), 1);
  }
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  void write(const fs::path& file, std::string_view content = "{}") const {
    fs::create_directories(file.parent_path());
    common::write_file_atomically(file, content);
  }
  // A model in a cache, as it is after a download.
  fs::path add_to_cache(const fs::path& cache, const std::string& repository,
                        const std::string& hash = "abc") const {
    fs::path snapshot = cache / repository / "snapshots" / hash;
    write(snapshot / "model_index.json");
    write(cache / repository / "refs" / "main", hash);
    return snapshot;
  }
  // The message and the cure, with FOLDER for the test's own.
  std::string said_of(const fs::path& given) const {
    std::string text;
    try {
      load_model_config(given);
    } catch (const common::InputError& error) {
      text = std::string(error.what()) + " | " + error.remedy();
    }
    const std::string own = folder_.path().string();
    for (auto at = text.find(own); at != text.npos; at = text.find(own))
      text.replace(at, own.size(), "FOLDER");
    return text;
  }

  layerpipe::testing::TemporaryFolder folder_;
};

TEST_F(ModelPlaceTest, AFolderOfSomethingElse) {
  fs::create_directories(path("pictures/summer"));
  EXPECT_EQ(said_of(path("pictures")),
            std::string("FOLDER/pictures is not a model folder: it has no model_index.json | ") + kGive);
  EXPECT_EQ(said_of(path("nowhere")),
            std::string("FOLDER/nowhere is not a model folder: it has no model_index.json | ") + kGive);
  EXPECT_EQ(said_of("nowhere"),
            std::string("nowhere is not a model folder: it has no model_index.json | ") + kGive);
}

TEST_F(ModelPlaceTest, AModelInTheCache) {
  const fs::path cache = path("home/.cache/huggingface/hub");
  add_to_cache(cache, "models--Qwen--Qwen-Image-Layered");
  const std::string in_cache = "FOLDER/home/.cache/huggingface/hub/models--Qwen--Qwen-Image-Layered";
  const std::string give = "Give " + in_cache + "/snapshots/abc to --model.";
  const std::string belongs =
      " belongs to the cache of Hugging Face's hub; the model lies in one of its snapshots | ";
  const fs::path repository = cache / "models--Qwen--Qwen-Image-Layered";
  EXPECT_EQ(said_of(repository), in_cache + belongs + give);
  EXPECT_EQ(said_of(repository / ""), in_cache + "/" + belongs + give);
  EXPECT_EQ(said_of(repository / "snapshots"), in_cache + "/snapshots" + belongs + give);
  for (const char* above : {"home/.cache/huggingface/hub", "home/.cache/huggingface"}) {
    EXPECT_EQ(said_of(path(above)), std::string("FOLDER/") + above +
                                        " is a cache of Hugging Face's hub, not a model folder | " + give);
  }
}

TEST_F(ModelPlaceTest, TheSnapshotThatMainNames) {
  const fs::path cache = path("hub");
  add_to_cache(cache, "models--Qwen--Qwen-Image-Layered", "older");
  add_to_cache(cache, "models--Qwen--Qwen-Image-Layered", "newer");
  write(cache / "models--Qwen--Qwen-Image-Layered/refs/main", "older");
  EXPECT_THAT(said_of(cache),
              ::testing::HasSubstr("| Give FOLDER/hub/models--Qwen--Qwen-Image-Layered/snapshots/older to"));
  write(cache / "models--Qwen--Qwen-Image-Layered/refs/main", "gone");
  EXPECT_THAT(said_of(cache), ::testing::HasSubstr("/snapshots/"));
}

TEST_F(ModelPlaceTest, ASnapshotThatWasNotDownloadedWhole) {
  const fs::path repository = path("hub/models--Qwen--Qwen-Image-Layered");
  fs::create_directories(repository / "snapshots/cut");
  EXPECT_THAT(
      said_of(repository / "snapshots/cut"),
      ::testing::HasSubstr(", and none of its snapshots has a model_index.json | Download it: hf download"));
  add_to_cache(path("hub"), "models--Qwen--Qwen-Image-Layered");
  EXPECT_THAT(
      said_of(repository / "snapshots/cut"),
      ::testing::EndsWith("| Give FOLDER/hub/models--Qwen--Qwen-Image-Layered/snapshots/abc to --model."));
}

TEST_F(ModelPlaceTest, SeveralModelsAndNone) {
  const fs::path cache = path("hub");
  fs::create_directories(cache / "models--Qwen--Qwen-Image-Layered/snapshots/abc");
  EXPECT_EQ(
      said_of(cache),
      "FOLDER/hub is a cache of Hugging Face's hub, not a model folder; no pipeline is in it | Download "
      "it: hf download Qwen/Qwen-Image-Layered --local-dir Qwen-Image-Layered, and give --model "
      "Qwen-Image-Layered.");
  EXPECT_EQ(
      said_of(cache / "models--Qwen--Qwen-Image-Layered"),
      "FOLDER/hub/models--Qwen--Qwen-Image-Layered belongs to the cache of Hugging Face's hub, and none "
      "of its snapshots has a model_index.json | Download it: hf download Qwen/Qwen-Image-Layered "
      "--local-dir Qwen-Image-Layered, and give --model Qwen-Image-Layered.");
  add_to_cache(cache, "models--a--one");
  add_to_cache(cache, "models--b--two");
  EXPECT_EQ(said_of(cache),
            "FOLDER/hub is a cache of Hugging Face's hub, not a model folder | Give "
            "FOLDER/hub/models--a--one/snapshots/abc or FOLDER/hub/models--b--two/snapshots/abc to --model.");
}

TEST_F(ModelPlaceTest, TheNameOfARepository) {
  const std::string name = "Qwen/Qwen-Image-Layered";
  const std::string what =
      "there is no folder Qwen/Qwen-Image-Layered; it looks like the name of a model on "
      "Hugging Face's hub";
  const std::string download =
      " | Download it: hf download Qwen/Qwen-Image-Layered --local-dir Qwen-Image-Layered, and give --model "
      "Qwen-Image-Layered.";
  EXPECT_EQ(said_of(name), what + download);
  EXPECT_THAT(said_of("https://huggingface.co/Qwen/Qwen-Image-Layered"), ::testing::HasSubstr(download));
  // The variables in the order in which Hugging Face's programs look at them; the one found last decides.
  for (const auto& [variable, value, cache] :
       {std::tuple{"HOME", "home", "home/.cache/huggingface/hub"},
        std::tuple{"XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"}, std::tuple{"HF_HOME", "hf", "hf/hub"},
        std::tuple{"HF_HUB_CACHE", "cache", "cache"}}) {
    ::setenv(variable, path(value).c_str(), 1);
    add_to_cache(path(cache), "models--Qwen--Qwen-Image-Layered");
    EXPECT_EQ(said_of(name), what + ", which is in the cache | Give FOLDER/" + cache +
                                 "/models--Qwen--Qwen-Image-Layered/snapshots/abc to --model.");
  }
}

TEST_F(ModelPlaceTest, APartOfAModelFolderAndAFolderAroundOne) {
  write(path("models/layered/model_index.json"));
  write(path("models/layered/transformer/config.json"));
  const std::string give = " | Give FOLDER/models/layered to --model.";
  EXPECT_EQ(said_of(path("models/layered/transformer")),
            "FOLDER/models/layered/transformer is not a model folder: it has no model_index.json" + give);
  EXPECT_EQ(said_of(path("models/layered/model_index.json")),
            "FOLDER/models/layered/model_index.json is a file, not a model folder" + give);
  EXPECT_EQ(said_of(path("models/layered/transformer/config.json")),
            "FOLDER/models/layered/transformer/config.json is a file, not a model folder" + give);
  EXPECT_EQ(said_of(path("models")),
            "FOLDER/models is not a model folder: it has no model_index.json" + give);
  write(path("models/other/model_index.json"));
  EXPECT_EQ(said_of(path("models")),
            std::string("FOLDER/models is not a model folder: it has no model_index.json | ") + kGive);
}

TEST_F(ModelPlaceTest, AFileOfWeights) {
  write(path("qwen_image_layered_bf16.safetensors"));
  EXPECT_EQ(
      said_of(path("qwen_image_layered_bf16.safetensors")),
      std::string("FOLDER/qwen_image_layered_bf16.safetensors is a file, not a model folder | ") + kGive);
}

}  // namespace
}  // namespace layerpipe::model
