#include "model/fingerprint.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <set>

#include "common/files.h"
#include "model/weights/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

class Fingerprint : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(model_ / "vae");
    write("model_index.json", "{}");
    write_safetensors(model_ / "vae" / "a.safetensors", {{"x", at::ones({4})}});
  }
  void write(const std::string& name, std::string_view content) const {
    common::write_file_atomically(model_ / name, content);
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path model_ = folder_.path() / "model";
};

TEST_F(Fingerprint, DoesNotDependOnWhereTheModelLies) {
  const std::string before = fingerprint(model_);
  EXPECT_EQ(before.size(), 32U);
  const auto elsewhere = folder_.path() / "elsewhere";
  std::filesystem::rename(model_, elsewhere);
  EXPECT_EQ(fingerprint(elsewhere), before);
}

TEST_F(Fingerprint, ChangesWithEveryFileThatCounts) {
  std::set<std::string> seen{fingerprint(model_)};
  const auto expect_new = [&](const char* what) {
    EXPECT_TRUE(seen.insert(fingerprint(model_)).second) << what;
  };
  write("model_index.json", "{ }");
  expect_new("a config");
  write("vae/merges.txt", "a b");
  expect_new("a file more");
  std::filesystem::create_directories(model_ / "tokenizer");
  std::filesystem::rename(model_ / "vae" / "merges.txt", model_ / "tokenizer" / "merges.txt");
  expect_new("another place");
  write_safetensors(model_ / "vae" / "a.safetensors", {{"y", at::ones({4})}});
  expect_new("another tensor");
  write_safetensors(model_ / "vae" / "a.safetensors", {{"y", at::ones({2, 2})}});
  expect_new("another shape");
  write("vae/a.safetensors", "no header");
  expect_new("no weight file at all");
}

TEST_F(Fingerprint, FollowsLinksToComponents) {
  const auto shared = folder_.path() / "shared";
  std::filesystem::rename(model_ / "vae", shared);
  std::filesystem::create_directory_symlink(shared, model_ / "vae");
  const std::string before = fingerprint(model_);
  common::write_file_atomically(shared / "config.json", std::string_view("{}"));
  EXPECT_NE(fingerprint(model_), before);
}

TEST_F(Fingerprint, DoesNotReadWeightsNorOtherFiles) {
  const std::string before = fingerprint(model_);
  write_safetensors(model_ / "vae" / "a.safetensors", {{"x", at::zeros({4})}});
  write("README.md", "words");
  write("vae/README.md", "words");
  std::filesystem::create_directories(model_ / "out");
  write("out/run.json", "{}");
  EXPECT_EQ(fingerprint(model_), before);
}

}  // namespace
}  // namespace layerpipe::model
