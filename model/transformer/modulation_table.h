// The modulation of the timesteps that are denoised, so that the weights that make it, a third of the
// transformer, need not stay on the device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/range.h"
#include "model/config.h"
#include "model/transformer/modulation.h"
#include "model/weights/weights.h"

namespace layerpipe::model {

// Asks a dry run's store for all that rows of these blocks are made with. Throws InputError naming the tensor
// and its file when one is absent or has another shape.
void check_modulation_weights(const WeightStore& dry_run, const TransformerConfig& config,
                              const common::Range& blocks);

// How many rows a table needs for these timesteps: as many as the network tells apart.
std::int64_t rows_for(std::span<const float> timesteps, at::ScalarType compute_dtype);

// Rows of a part of the transformer, each of one timestep, in a piece of memory that stays the same. Used by
// one thread.
class ModulationTable {
 public:
  // Has room for `rows` rows, at least one, and takes their memory now: rows · (12 · inner_dim · blocks, and
  // 2 · inner_dim with the last block) values in the compute dtype.
  ModulationTable(const TransformerConfig& config, const common::Range& blocks, std::int64_t rows,
                  at::Device device, at::ScalarType compute_dtype);

  std::int64_t rows() const { return static_cast<std::int64_t>(slots_.size()); }

  // Has a row for each of `timesteps` from now on, until the next call; whether some had to be made. Together
  // with them, as there is room, are made those of `later`, of which the first matter most: the weights pass
  // through the device one after the other, each is there once and is released before the next comes. Rows
  // that have been asked for least recently make room.
  //
  // A row is computed alone, by the kernels that computed it in every forward before there was a table:
  // several rows in one product would have other bits. It belongs to the timestep as the network sees it
  // (rounded_timestep) and to the weights, which are known by their source. `after_row` may be empty.
  // Throws what loading throws, and `after_row`; rows that were being made are not there then. More different
  // timesteps than there is room for are an InternalError.
  bool make(const WeightStore& transformer, std::span<const float> timesteps, std::span<const float> later,
            const std::function<void()>& after_row = {});

  // A view of the row of a timestep, made from the weights of the last call of make(). InternalError where
  // there is none.
  ModulationRow row(float timestep) const;

 private:
  // What decides a row.
  struct Key {
    std::weak_ptr<const TensorSource> weights;  // by identity; not kept open for a row's sake
    float timestep = 0;                         // as the network sees it
    bool operator==(const Key& other) const;
  };
  // A row to be made.
  struct Missing {
    Key key;
    float timestep = 0;  // the scheduler's
  };
  struct Slot {
    Key key;
    bool is_made = false;
    std::int64_t last_asked = 0;  // in calls of make()
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  // The number of a row; kNone when it is not there.
  std::size_t find(const Key& key) const;
  std::vector<Missing> missing_rows(std::span<const float> timesteps, std::span<const float> later);
  std::vector<std::size_t> make_room(std::size_t count);
  void fill(const WeightStore& transformer, const std::vector<Missing>& missing,
            const std::vector<std::size_t>& places, const std::function<void()>& after_row);

  TransformerConfig config_;
  common::Range blocks_;
  at::ScalarType compute_dtype_;
  at::Tensor values_;  // [rows, outputs of modulation_layers()], compute dtype
  std::vector<Slot> slots_;
  std::weak_ptr<const TensorSource> weights_;  // of the last call
  std::int64_t calls_ = 0;
};

}  // namespace layerpipe::model
