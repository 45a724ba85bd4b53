// Photoshop documents of every kind, for the tests of what reads them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "media/picture.h"

namespace layerpipe::media {

inline std::string big(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes; i-- > 0;) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

// One record; by default a layer of 2 × 1 pixels, red and half visible green, at the corner.
struct PsdTestLayer {
  std::string name = "a";
  std::vector<std::pair<int, std::string>> channels = {
      {-1, {"\0\0\xff\x80", 4}}, {0, {"\0\0\xff\0", 4}}, {1, {"\0\0\0\xff", 4}}, {2, {"\0\0\0\0", 4}}};
  int left = 0;
  int top = 0;
  int width = 2;
  int height = 1;
  std::string mode = "norm";
  int opacity = 255;
  int clipping = 0;
  int flags = 8;
  std::string mask;
  std::string ranges;
  std::vector<std::pair<std::string, std::string>> blocks;  // key and content

  PsdTestLayer with(const std::string& key, const std::string& content) const {
    PsdTestLayer changed = *this;
    changed.blocks.emplace_back(key, content);
    return changed;
  }
};

// The record of a group, in front of its layers, or the end, behind them.
inline PsdTestLayer psd_group(const std::string& name, int kind, int opacity = 255,
                              const std::string& mode = "pass") {
  PsdTestLayer group;
  group.name = name;
  group.channels = {};
  group.width = group.height = 0;
  group.opacity = opacity;
  group.mode = mode == "pass" ? "norm" : mode;
  group.blocks = {{"lsct", big(static_cast<std::uint64_t>(kind), 4) + "8BIM" + mode}};
  return group;
}
inline PsdTestLayer psd_group_end() {
  return psd_group("</Layer group>", 3);
}

struct PsdTestDocument {
  std::vector<PsdTestLayer> layers = {{}};  // from the back
  int version = 1;
  int width = 4;
  int height = 3;
  int bits = 8;
  int colors = 3;
  std::string resources;

  int length_bytes() const { return version == 2 ? 8 : 4; }

  std::string record(const PsdTestLayer& layer) const {
    std::string text;
    for (const int edge : {layer.top, layer.left, layer.top + layer.height, layer.left + layer.width})
      text += big(static_cast<std::uint32_t>(edge), 4);
    text += big(layer.channels.size(), 2);
    for (const auto& [number, content] : layer.channels)
      text += big(static_cast<std::uint16_t>(number), 2) + big(content.size(), length_bytes());
    text += "8BIM" + layer.mode + big(static_cast<unsigned>(layer.opacity), 1) +
            big(static_cast<unsigned>(layer.clipping), 1) + big(static_cast<unsigned>(layer.flags), 1) +
            big(0, 1);
    std::string extra = big(layer.mask.size(), 4) + layer.mask + big(layer.ranges.size(), 4) + layer.ranges +
                        big(layer.name.size(), 1) + layer.name + std::string(3 - layer.name.size() % 4, '\0');
    for (const auto& [key, content] : layer.blocks) extra += "8BIM" + key + big(content.size(), 4) + content;
    return text + big(extra.size(), 4) + extra;
  }

  std::string bytes() const {
    std::string info = big(layers.size(), 2);
    for (const PsdTestLayer& layer : layers) info += record(layer);
    for (const PsdTestLayer& layer : layers)
      for (const auto& channel : layer.channels) info += channel.second;
    const std::string section = big(info.size(), length_bytes()) + info + big(0, 4);
    return "8BPS" + big(static_cast<unsigned>(version), 2) + std::string(6, '\0') + big(3, 2) +
           big(static_cast<unsigned>(height), 4) + big(static_cast<unsigned>(width), 4) +
           big(static_cast<unsigned>(bits), 2) + big(static_cast<unsigned>(colors), 2) + big(0, 4) +
           big(resources.size(), 4) + resources + big(section.size(), length_bytes()) + section;
  }
};

inline PictureFile file_of(const std::string& bytes) {
  return {std::as_bytes(std::span(bytes)), "edited.psd"};
}

}  // namespace layerpipe::media
