#include "comm/wire.h"

namespace layerpipe::comm {

void WireWriter::append(std::span<const std::byte> more) {
  bytes_.insert(bytes_.end(), more.begin(), more.end());
}

}  // namespace layerpipe::comm
