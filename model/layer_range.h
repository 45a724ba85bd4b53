// A contiguous run of a network's layers, as a stage of a pipeline holds it. Standard library only.
#pragma once

#include <cstdint>

namespace layerpipe::model {

// Layers begin … end − 1.
struct LayerRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const LayerRange&) const = default;
};

}  // namespace layerpipe::model
