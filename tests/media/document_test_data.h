// What the tests of the documents' writers and readers share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "media/content_box.h"
#include "media/document.h"
#include "media/png_writer.h"
#include "media/zip_writer.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {

// A folder of its own, and what is in it.
class DocumentTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/layerpipe_document_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  auto files() const { return std::distance(std::filesystem::directory_iterator(folder_), {}); }
  std::filesystem::path folder_;
};

// A transparent picture with noise in `box`, where alpha is at least 1.
inline Image noise_in(int width, int height, const Box& box, unsigned seed) {
  std::mt19937 random(seed);
  Image image = make_image(width, height);
  for (int y = box.top; y < box.top + box.height; ++y) {
    std::uint8_t* pixel = image.row(y) + 4 * box.left;
    for (int x = 0; x < box.width; ++x, pixel += 4) {
      for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(random());
      pixel[3] = static_cast<std::uint8_t>(1 + random() % 255);
    }
  }
  return image;
}

inline Document document_of(const std::vector<std::pair<std::string, Image>>& layers) {
  Document document{.width = layers.front().second.width,
                    .height = layers.front().second.height,
                    .title = "title",
                    .generator = "layerpipe 0.0.0"};
  for (const auto& [name, image] : layers) document.layers.push_back({name, [image] { return image; }});
  return document;
}

inline ZipContent png_content(const Image& image) {
  return [image] { return encode_png(image); };
}

// `bytes`, without a word about what they are.
inline ZipContent bytes_content(const std::string& bytes) {
  return text_content(bytes);
}

// Replaces the first `count` times that `from` is there; both of one length.
inline std::string patched(std::string bytes, const std::string& from, const std::string& to, int count = 1) {
  std::size_t place = 0;
  for (int i = 0; i < count; ++i, place += to.size()) {
    place = bytes.find(from, place);
    if (place == std::string::npos) throw std::runtime_error("nothing to patch");
    bytes.replace(place, from.size(), to);
  }
  return bytes;
}

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace layerpipe::media
