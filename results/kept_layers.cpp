#include "results/kept_layers.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace layerpipe::results {
namespace {

class KeptLayer {
 public:
  explicit KeptLayer(std::function<media::Image()> make) : make_(std::move(make)) {}

  // Whoever comes while it is made waits. What making it throws is thrown, and the next one tries again.
  const media::Image& get() {
    const std::lock_guard lock(mutex_);
    if (!image_) image_ = make_();
    return *image_;
  }

 private:
  std::function<media::Image()> make_;
  std::mutex mutex_;
  std::optional<media::Image> image_;
};

}  // namespace

void keep_layers(std::vector<std::function<media::Image()>>& layers, std::uint64_t layer_bytes,
                 WritingLimits& limits) {
  const std::uint64_t needed = layers.size() * layer_bytes;
  if (needed > limits.bytes / 4) return;
  limits.bytes -= needed;
  for (std::function<media::Image()>& layer : layers)
    layer = [kept = std::make_shared<KeptLayer>(std::move(layer))] { return kept->get(); };
}

}  // namespace layerpipe::results
