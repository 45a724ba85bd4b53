#include "model/transformer/modulation_table.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "common/errors.h"
#include "model/transformer/timestep_embedder.h"

namespace layerpipe::model {

void check_modulation_weights(const WeightStore& dry_run, const TransformerConfig& config,
                              const common::Range& blocks) {
  TimestepEmbedder(dry_run, config);
  for (const ModulationLayer& layer : modulation_layers(config, blocks))
    load_linear(dry_run, layer.name, config.inner_dim(), layer.outputs);
}

std::int64_t rows_for(std::span<const float> timesteps, at::ScalarType compute_dtype) {
  std::set<std::uint32_t> different;
  for (const float timestep : timesteps)
    different.insert(std::bit_cast<std::uint32_t>(rounded_timestep(timestep, compute_dtype)));
  return static_cast<std::int64_t>(different.size());
}

bool ModulationTable::Key::operator==(const Key& other) const {
  // By the bits: a timestep that is no number, which a damaged config could give, has a row like any other.
  const bool has_same_weights = !weights.owner_before(other.weights) && !other.weights.owner_before(weights);
  return has_same_weights &&
         std::bit_cast<std::uint32_t>(timestep) == std::bit_cast<std::uint32_t>(other.timestep);
}

ModulationTable::ModulationTable(const TransformerConfig& config, const common::Range& blocks,
                                 std::int64_t rows, at::Device device, at::ScalarType compute_dtype)
    : config_(config), blocks_(blocks), compute_dtype_(compute_dtype) {
  common::ensure(rows > 0, "a modulation table needs room for a row");
  std::int64_t columns = 0;
  for (const ModulationLayer& layer : modulation_layers(config, blocks)) columns += layer.outputs;
  values_ = at::empty({rows, columns}, at::TensorOptions().dtype(compute_dtype).device(device));
  slots_.resize(static_cast<std::size_t>(rows));
}

std::size_t ModulationTable::find(const Key& key) const {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const Slot& slot) { return slot.is_made && slot.key == key; });
  return found == slots_.end() ? kNone : static_cast<std::size_t>(found - slots_.begin());
}

// Notes which rows are asked for, and gives those that are to be made: none unless one of `timesteps` is
// missing, since for later ones alone the weights do not pass.
std::vector<ModulationTable::Missing> ModulationTable::missing_rows(std::span<const float> timesteps,
                                                                    std::span<const float> later) {
  std::vector<Key> asked;
  std::vector<Missing> missing;
  const auto ask = [&](float timestep) {
    const Key key{weights_, rounded_timestep(timestep, compute_dtype_)};
    if (std::find(asked.begin(), asked.end(), key) != asked.end()) return;
    asked.push_back(key);
    const std::size_t place = find(key);
    if (place == kNone) return missing.push_back({key, timestep});
    slots_[place].last_asked = calls_;
  };
  for (const float timestep : timesteps) ask(timestep);
  common::ensure(asked.size() <= slots_.size(),
                 "a window has more different timesteps than the modulation table has room for");
  if (missing.empty()) return missing;
  for (const float timestep : later) {
    if (asked.size() == slots_.size()) break;
    ask(timestep);
  }
  return missing;
}

// Empties so many rows: of those that this call has not asked for, the ones that were asked for least
// recently.
std::vector<std::size_t> ModulationTable::make_room(std::size_t count) {
  std::vector<std::size_t> places(slots_.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::stable_sort(places.begin(), places.end(),
                   [&](std::size_t a, std::size_t b) { return slots_[a].last_asked < slots_[b].last_asked; });
  places.resize(count);
  for (const std::size_t place : places) slots_[place] = {};
  return places;
}

void ModulationTable::fill(const WeightStore& transformer, const std::vector<Missing>& missing,
                           const std::vector<std::size_t>& places, const std::function<void()>& after_row) {
  std::vector<at::Tensor> conditioning;  // by row: [1, inner_dim]
  {
    const TimestepEmbedder embedder(transformer, config_);
    for (const Missing& row : missing) conditioning.push_back(embedder.forward(row.timestep));
  }
  std::int64_t column = 0;
  for (const ModulationLayer& layer : modulation_layers(config_, blocks_)) {
    const ops::Linear linear = load_linear(transformer, layer.name, config_.inner_dim(), layer.outputs);
    for (std::size_t i = 0; i < missing.size(); ++i) {
      values_.select(0, static_cast<std::int64_t>(places[i]))
          .narrow(0, column, layer.outputs)
          .copy_(linear.apply_to_vector(conditioning[i]).view({-1}));
      if (after_row) after_row();
    }
    column += layer.outputs;
  }
  transformer.check();
}

bool ModulationTable::make(const WeightStore& transformer, std::span<const float> timesteps,
                           std::span<const float> later, const std::function<void()>& after_row) {
  weights_ = transformer.source();
  ++calls_;
  const std::vector<Missing> missing = missing_rows(timesteps, later);
  if (missing.empty()) return false;
  const std::vector<std::size_t> places = make_room(missing.size());
  fill(transformer, missing, places, after_row);
  for (std::size_t i = 0; i < missing.size(); ++i) slots_[places[i]] = {missing[i].key, true, calls_};
  return true;
}

ModulationRow ModulationTable::row(float timestep) const {
  const std::size_t place = find({weights_, rounded_timestep(timestep, compute_dtype_)});
  common::ensure(place != kNone, "a timestep is denoised whose modulation has not been made");
  return {values_.select(0, static_cast<std::int64_t>(place)), config_, blocks_};
}

}  // namespace layerpipe::model
