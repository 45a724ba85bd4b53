#include "session/picture_size.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "common/errors.h"
#include "media/image.h"
#include "model/latents.h"
#include "runtime/request/limits.h"

namespace layerpipe::session {
namespace {

bool can_be_worked_on(const common::Size& size) {
  return std::min(size.width, size.height) > 0 && std::max(size.width, size.height) <= media::kMaxSide;
}

bool can_be_taken(const common::Size& picture, std::int64_t resolution) {
  return can_be_worked_on(model::working_size(picture, resolution));
}

// The same picture, but for the length of its longer side.
common::Size with_length(const common::Size& picture, std::int64_t length) {
  return picture.width > picture.height ? common::Size{.width = length, .height = picture.height}
                                        : common::Size{.width = picture.width, .height = length};
}

// The longest picture with the shorter side of `picture`, which is too long.
common::Size longest_like(const common::Size& picture, std::int64_t resolution) {
  std::int64_t good = std::min(picture.width, picture.height);  // a square always works
  std::int64_t bad = std::max(picture.width, picture.height);
  while (bad - good > 1) {
    const std::int64_t middle = (good + bad) / 2;
    (can_be_taken(with_length(picture, middle), resolution) ? good : bad) = middle;
  }
  return with_length(picture, good);
}

// Those that the model was trained at.
constexpr std::array<std::int64_t, 2> kModelResolutions{640, 1024};

// A resolution that takes the picture: one of the model's own, if one does.
std::optional<std::int64_t> resolution_for(const common::Size& picture) {
  for (const std::int64_t resolution : kModelResolutions) {
    if (can_be_taken(picture, resolution)) return resolution;
  }
  using runtime::kResolutionMultiple;
  for (std::int64_t resolution = runtime::kSmallestResolution; resolution <= runtime::kLargestResolution;
       resolution += kResolutionMultiple) {
    if (can_be_taken(picture, resolution)) return resolution;
  }
  return std::nullopt;
}

bool is_models_own(std::int64_t resolution) {
  return std::find(kModelResolutions.begin(), kModelResolutions.end(), resolution) != kModelResolutions.end();
}

}  // namespace

common::Size size_to_work_on(const common::Size& picture, std::int64_t resolution, const std::string& name) {
  const common::Size size = model::working_size(picture, resolution);
  if (can_be_worked_on(size)) return size;
  const bool is_wide = picture.width > picture.height;
  const common::Size longest = longest_like(picture, resolution);
  std::string cure = fmt::format("Crop it to {} × {} pixels", longest.width, longest.height);
  if (const auto other = resolution_for(picture)) {
    cure +=
        fmt::format(", or take --resolution {}{}", *other, is_models_own(*other) ? "" : " --any-resolution");
  }
  throw common::InputError(
      fmt::format(
          "{} is {} × {} pixels: too long and narrow to be taken apart at {} pixels, where one of its {} "
          "may be up to {} pixels {}",
          name, picture.width, picture.height, resolution, is_wide ? "height" : "width",
          std::max(longest.width, longest.height), is_wide ? "wide" : "high"),
      cure + ".");
}

}  // namespace layerpipe::session
