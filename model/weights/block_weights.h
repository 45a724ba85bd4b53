// What stands between a network and the weights of its blocks: a network computes on a lease, and does not
// know whether the block was there before it asked or stays when it has let go.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/range.h"

namespace layerpipe::model {

template <class Block>
class Lease;

// The weights of a run of blocks. Used by one thread, which acquires blocks in any order, as often as it
// wants, and holds one lease at a time. Leases end before this object does.
template <class Block>
class BlockWeights {
 public:
  BlockWeights() = default;
  BlockWeights(const BlockWeights&) = delete;
  BlockWeights& operator=(const BlockWeights&) = delete;
  virtual ~BlockWeights() = default;

  // Block `index`, counted as the model counts it. What the calling thread enqueues next on the device's
  // current stream finds the weights there. An index that is not of this run is an InternalError.
  virtual Lease<Block> acquire(std::int64_t index) = 0;

 protected:
  Lease<Block> lease(std::int64_t index, const Block& block) { return Lease<Block>(*this, index, block); }

 private:
  friend class Lease<Block>;
  // A lease has ended. What has been enqueued up to now on the device's current stream may still read the
  // block; what comes later does not.
  virtual void release(std::int64_t index) noexcept = 0;
};

// A block's weights, until this object ends. Move-only.
template <class Block>
class Lease {
 public:
  Lease(Lease&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), index_(other.index_), block_(other.block_) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (owner_ != nullptr) owner_->release(index_);
  }

  const Block& operator*() const { return *block_; }

 private:
  friend class BlockWeights<Block>;
  Lease(BlockWeights<Block>& owner, std::int64_t index, const Block& block)
      : owner_(&owner), index_(index), block_(&block) {}

  BlockWeights<Block>* owner_;  // none once moved from
  std::int64_t index_;
  const Block* block_;
};

// Blocks that are all on the device, from the beginning to the end.
template <class Block>
class HeldBlocks : public BlockWeights<Block> {
 public:
  // Loads them in order: `load(index)` gives a block.
  HeldBlocks(const common::Range& range, const std::function<Block(std::int64_t index)>& load)
      : range_(range) {
    blocks_.reserve(static_cast<std::size_t>(range.size()));
    for (std::int64_t index = range.begin; index < range.end; ++index) blocks_.push_back(load(index));
  }

  Lease<Block> acquire(std::int64_t index) override {
    common::ensure(range_.contains(index), "a block was asked for whose weights are not held");
    return this->lease(index, blocks_[static_cast<std::size_t>(index - range_.begin)]);
  }

 private:
  void release(std::int64_t) noexcept override {}  // it stays

  common::Range range_;
  std::vector<Block> blocks_;
};

}  // namespace layerpipe::model
