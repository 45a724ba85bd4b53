// Blocks of which some stay on the device while the others pass through it, time and again.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/spread.h"
#include "model/weights/block_stream.h"
#include "model/weights/block_weights.h"

namespace layerpipe::model {

struct StreamingOptions {
  // Blocks that pass; at least one. They lie evenly between those that stay (common/spread.h), so that the
  // device has work while the next one comes.
  std::int64_t streamed = 1;
  std::int64_t slots = 2;  // places for those that pass, as BlockStreamOptions has them
  c10::Device device = c10::kCPU;
  std::function<void()> while_waiting;  // likewise
};

template <class Block>
class StreamedBlocks : public BlockWeights<Block> {
 public:
  // `load(index)` gives a block. Those that stay are loaded now, in order, by the calling thread, through
  // `load`; those that pass by another thread through `load_again`, time and again.
  StreamedBlocks(const common::Range& range, const StreamingOptions& options,
                 const std::function<Block(std::int64_t index)>& load,
                 std::function<Block(std::int64_t index)> load_again) {
    const std::vector<bool> passes = common::spread(options.streamed, range.size());
    BlockStreamOptions stream{
        .ring = {},
        .slots = options.slots,
        .device = options.device,
        .load = [load_again = std::move(load_again)](std::int64_t index) -> std::shared_ptr<const void> {
          return std::make_shared<const Block>(load_again(index));
        },
        .while_waiting = options.while_waiting};
    for (std::int64_t index = range.begin; index < range.end; ++index) {
      if (passes[static_cast<std::size_t>(index - range.begin)]) {
        stream.ring.push_back(index);
      } else {
        kept_.emplace(index, load(index));
      }
    }
    stream_.emplace(std::move(stream));
  }

  Lease<Block> acquire(std::int64_t index) override {
    if (const auto found = kept_.find(index); found != kept_.end()) return this->lease(index, found->second);
    return this->lease(index, *static_cast<const Block*>(stream_->acquire(index)));
  }

 private:
  void release(std::int64_t index) noexcept override {
    if (!kept_.contains(index)) stream_->release(index);
  }

  std::unordered_map<std::int64_t, Block> kept_;
  std::optional<BlockStream> stream_;  // made when those that stay are there
};

}  // namespace layerpipe::model
