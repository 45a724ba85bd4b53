#include "model/weights/streamed_blocks.h"

namespace layerpipe::model {

std::vector<bool> kept_blocks(std::int64_t count, std::int64_t kept) {
  common::ensure(count >= 0 && kept >= 0 && kept <= count, "more blocks are to stay than there are");
  std::vector<bool> stays;
  for (std::int64_t i = 0; i < count; ++i) stays.push_back((i + 1) * kept / count > i * kept / count);
  return stays;
}

}  // namespace layerpipe::model
