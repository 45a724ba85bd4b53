// Which pictures can be taken apart, by their size.
#pragma once

#include <cstdint>
#include <string>

#include "common/size.h"

namespace layerpipe::session {

// The size that a picture is worked on at (model::working_size). Throws InputError, which calls the picture
// `name` and says up to which length one of its height or width can be taken, when a side would become
// shorter than the model's 32 pixels, or longer than pictures may be (media::kMaxSide).
common::Size size_to_work_on(const common::Size& picture, std::int64_t resolution, const std::string& name);

}  // namespace layerpipe::session
