// Messages of any length over a transport, cut into pieces that it takes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "comm/transport.h"

namespace layerpipe::comm {

// What became of a long message; each function is called on a thread of the transport.
struct LongMessage {
  std::function<void()> moved;                          // after every piece
  std::function<void(std::exception_ptr error)> ended;  // once; no error when all came through
};

// Sends or receives exactly bytes.size() bytes: sender and receiver agree on the length beforehand. No bytes:
// no message, `ended` is called at once. The memory belongs to what `handlers` hold.
void send_pieces(Transport& transport, int to, Tag tag, std::span<const std::byte> bytes,
                 LongMessage handlers);
void receive_pieces(Transport& transport, int from, Tag tag, std::span<std::byte> bytes,
                    LongMessage handlers);

}  // namespace layerpipe::comm
