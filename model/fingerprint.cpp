#include "model/fingerprint.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include "common/errors.h"
#include "common/input_file.h"

namespace layerpipe::model {
namespace {

// Files of these kinds decide what a model computes; the rest (pictures, a README without weight) do not.
bool counts(const std::filesystem::path& path) {
  const auto extension = path.extension();
  return extension == ".json" || extension == ".txt" || extension == ".safetensors";
}

// Of the weights alone, which another file may stand for.
bool is_weights(const std::filesystem::path& path) {
  return path.extension() == ".safetensors" ||
         path.filename().string().find(".safetensors.index.") != std::string::npos;
}

// What else lies in the folder, results for example, is not the model's. Links are followed: shared
// components are often linked from one model folder to another.
std::vector<std::filesystem::path> files_that_count(const std::filesystem::path& folder,
                                                    const ComponentFiles& others) {
  std::vector<std::filesystem::path> files{folder / "model_index.json"};
  for (const char* component :
       {"processor", "scheduler", "text_encoder", "tokenizer", "transformer", "vae"}) {
    std::error_code error;
    const auto options = std::filesystem::directory_options::follow_directory_symlink;
    for (const auto& entry : std::filesystem::directory_iterator(folder / component, options, error)) {
      if (others.contains(component) && is_weights(entry.path())) continue;
      if (entry.is_regular_file(error) && counts(entry.path())) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string digits(const XXH128_hash_t& hash) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

class Hash {
 public:
  Hash() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }

  // Its length goes in front, so that no two sequences of parts are the same bytes.
  void add(const void* data, std::uint64_t size) {
    XXH3_128bits_update(state_.get(), &size, sizeof size);
    XXH3_128bits_update(state_.get(), data, size);
  }
  // The first `size` bytes of a file, as one part.
  void add(const common::InputFile& file, std::uint64_t size) {
    constexpr std::uint64_t kPieceBytes = 1 << 20;
    XXH3_128bits_update(state_.get(), &size, sizeof size);
    std::vector<std::byte> piece(std::min(size, kPieceBytes));
    for (std::uint64_t done = 0; done < size; done += piece.size()) {
      piece.resize(std::min(size - done, kPieceBytes));
      file.read(done, piece);
      XXH3_128bits_update(state_.get(), piece.data(), piece.size());
    }
  }
  std::string hex() const { return digits(XXH3_128bits_digest(state_.get())); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

// The part of a weight file in front of the weights; all of a file that is no such file.
std::uint64_t header_bytes(const common::InputFile& file) {
  std::uint64_t length = 0;
  if (file.size() < sizeof length) return file.size();
  file.read(0, std::as_writable_bytes(std::span(&length, 1)), "its header");
  return length > file.size() - sizeof length ? file.size() : sizeof length + length;
}

}  // namespace

std::string fingerprint(const std::filesystem::path& folder, const ComponentFiles& files) {
  Hash hash;
  const auto add = [&](const std::string& name, const std::filesystem::path& path, bool has_weights) {
    hash.add(name.data(), name.size());
    const common::InputFile file(path);
    hash.add(file, has_weights ? header_bytes(file) : file.size());
    const std::uint64_t size = file.size();
    hash.add(&size, sizeof size);
  };
  for (const auto& path : files_that_count(folder, files))
    add(path.lexically_relative(folder).generic_string(), path, path.extension() == ".safetensors");
  for (const auto& [component, path] : files) add("--" + component, path, /*has_weights=*/true);
  return hash.hex();
}

std::string hash_of(std::span<const std::byte> bytes) {
  return digits(XXH3_128bits(bytes.data(), bytes.size()));
}

}  // namespace layerpipe::model
