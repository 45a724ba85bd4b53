#include "results/nested_results.h"

#include <fmt/format.h>

#include <deque>
#include <map>
#include <optional>

#include "common/errors.h"
#include "media/picture_reader.h"
#include "media/resize.h"
#include "model/fingerprint.h"

namespace layerpipe::results {
namespace {

namespace fs = std::filesystem;

// A nested result on its way to its place.
struct Nest {
  fs::path folder;
  std::shared_ptr<LayeredResult> result;
  bool is_placed = false;
};

// A result in whose layers nests may have their places.
struct Holder {
  LayeredResult* result;
  fs::path folder;
  std::map<std::size_t, const Nest*> taken;  // by layer
};

// Of the pixels that the model would see of a picture (RunRecord::picture_hash).
std::string hash_at(const fs::path& file, const common::Size& working_size) {
  const media::Image image =
      media::resize_lanczos(media::read_picture(file).image, static_cast<int>(working_size.width),
                            static_cast<int>(working_size.height));
  return model::hash_of(std::as_bytes(std::span(image.pixels)));
}

// The layer of `holder` that a result was made from. The one of its name comes first: empty layers are alike.
std::optional<std::size_t> find_layer(const Holder& holder, const RunRecord& record) {
  if (record.picture_size != holder.result->record.layer_size) return std::nullopt;
  const auto is_it = [&](std::size_t index) {
    return hash_at(holder.folder / layer_name(index), record.working_size) == record.picture_hash;
  };
  const std::size_t count = holder.result->layers.size();
  const auto named = layer_number(last_part(record.picture));
  if (named && *named < count && is_it(*named)) return named;
  for (std::size_t i = 0; i < count; ++i) {
    if (i != named && is_it(i)) return i;
  }
  return std::nullopt;
}

std::vector<Nest> open_nests(std::span<const fs::path> folders, const std::atomic<bool>& stop_requested) {
  std::vector<Nest> nests;
  for (const fs::path& run : folders) {
    for (const FinishedResult& from : result_folders(run, "--nest")) {
      nests.push_back(
          {from.folder, std::make_shared<LayeredResult>(read_result(from.folder, stop_requested))});
      if (!nests.back().result->record.picture_hash.empty()) continue;
      throw common::InputError(
          fmt::format("--nest {}: its run.json does not tell the hash of its picture", from.folder.string()),
          "An earlier layerpipe wrote it: take the layer apart again.");
    }
  }
  return nests;
}

// Gives `nest` its place in `holder`, if it has one there: the number of the layer.
std::optional<std::size_t> place(Nest& nest, Holder& holder) {
  const auto layer = find_layer(holder, nest.result->record);
  if (!layer) return std::nullopt;
  const auto [before, is_free] = holder.taken.try_emplace(*layer, &nest);
  if (!is_free) {
    throw common::InputError(
        fmt::format("--nest {} and --nest {} were both made from {}", before->second->folder.string(),
                    nest.folder.string(), (holder.folder / layer_name(*layer)).string()),
        "Give one of them.");
  }
  holder.result->nested[*layer] = nest.result;
  nest.is_placed = true;
  return layer;
}

}  // namespace

std::vector<std::string> nest_results(std::span<OpenedResult> results, std::span<const fs::path> nests,
                                      const std::atomic<bool>& stop_requested) {
  std::vector<Nest> open = open_nests(nests, stop_requested);
  std::deque<Holder> holders;
  for (OpenedResult& one : results) holders.push_back({&one.result, one.from.folder, {}});
  std::vector<std::string> sentences;
  // Those that have found their places hold others in turn.
  for (; !holders.empty(); holders.pop_front()) {
    Holder& holder = holders.front();
    for (Nest& nest : open) {
      if (stop_requested.load()) throw common::InterruptedError();
      if (nest.is_placed) continue;
      const auto layer = place(nest, holder);
      if (!layer) continue;
      sentences.push_back(fmt::format("{} takes the place of {}", nest.folder.string(),
                                      (holder.folder / layer_name(*layer)).string()));
      holders.push_back({nest.result.get(), nest.folder, {}});
    }
  }
  for (const Nest& nest : open) {
    if (nest.is_placed) continue;
    throw common::InputError(
        fmt::format("--nest {}: its picture, {}, is no layer of the run as it is now", nest.folder.string(),
                    nest.result->record.picture),
        "Give the run of a layer of --in; a layer that has changed since has to be taken apart again.");
  }
  return sentences;
}

}  // namespace layerpipe::results
