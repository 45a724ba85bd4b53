#include "comm/pieces.h"

#include <algorithm>
#include <atomic>

#include "common/errors.h"

namespace layerpipe::comm {
namespace {

// Shared by the pieces of one message. Completions of one transport come one after another, but pieces to
// oneself may complete on another thread than those from others: hence atomic.
struct Progress {
  std::atomic<std::size_t> open;
  std::atomic<bool> failed{false};
  LongMessage handlers;

  void piece_ended(std::exception_ptr error) {
    if (error != nullptr) {
      if (!failed.exchange(true)) handlers.ended(error);
    } else if (!failed) {
      handlers.moved();
    }
    if (--open == 0 && !failed) handlers.ended(nullptr);
  }
};

std::size_t pieces_of(std::size_t bytes) {
  return (bytes + kMaxMessageBytes - 1) / kMaxMessageBytes;
}

// Calls post(piece, completion) for every piece of `bytes`.
template <typename Byte, typename Post>
void cut(std::span<Byte> bytes, LongMessage handlers, Post post) {
  if (bytes.empty()) return handlers.ended(nullptr);
  auto progress = std::make_shared<Progress>();
  progress->open = pieces_of(bytes.size());
  progress->handlers = std::move(handlers);
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kMaxMessageBytes));
    bytes = bytes.subspan(piece.size());
    post(piece, [progress, wanted = piece.size()](const Delivery& delivery) {
      std::exception_ptr error = delivery.error;
      if (error == nullptr && delivery.bytes != wanted) {
        error = std::make_exception_ptr(
            common::PeerFailedError("a message of " + std::to_string(delivery.bytes) + " bytes came where " +
                                        std::to_string(wanted) + " were announced",
                                    "Start the same build of layerpipe on all ranks."));
      }
      progress->piece_ended(error);
    });
  }
}

}  // namespace

void send_pieces(Transport& transport, int to, Tag tag, std::span<const std::byte> bytes,
                 LongMessage handlers) {
  cut(bytes, std::move(handlers),
      [&](auto piece, Completion completion) { transport.post_send(to, tag, piece, std::move(completion)); });
}

void receive_pieces(Transport& transport, int from, Tag tag, std::span<std::byte> bytes,
                    LongMessage handlers) {
  cut(bytes, std::move(handlers), [&](auto piece, Completion completion) {
    transport.post_receive(from, tag, piece, std::move(completion));
  });
}

}  // namespace layerpipe::comm
