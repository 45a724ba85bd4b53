// What a PNG file says beside its pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "common/files.h"

namespace layerpipe::testing {

struct PngFile {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::map<std::string, std::string> texts;  // by keyword: tEXt, and iTXt that is not compressed
};

// Walks the chunks of a well-formed file. Source: the PNG specification, sections 5.3, 11.2.2, 11.3.3.
inline PngFile read_png_file(const std::filesystem::path& path) {
  const std::string bytes = common::read_text_file(path);
  const auto number_at = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
    return value;
  };
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kAroundData = 12;  // length and type before it, checksum behind it
  PngFile file;
  for (std::size_t at = kSignature; at < bytes.size(); at += kAroundData + number_at(at)) {
    const std::string type = bytes.substr(at + 4, 4);
    const std::string data = bytes.substr(at + 8, number_at(at));
    const std::string keyword = data.substr(0, data.find('\0'));
    if (type == "IHDR") {
      file.width = number_at(at + 8);
      file.height = number_at(at + 12);
    } else if (type == "tEXt") {
      file.texts[keyword] = data.substr(keyword.size() + 1);
    } else if (type == "iTXt") {
      const std::size_t language = keyword.size() + 3;  // behind two bytes about compression
      const std::size_t translated = data.find('\0', language) + 1;
      file.texts[keyword] = data.substr(data.find('\0', translated) + 1);
    }
  }
  return file;
}

}  // namespace layerpipe::testing
