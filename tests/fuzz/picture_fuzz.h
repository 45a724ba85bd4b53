// What the targets for pictures share.
#pragma once

#include "common/errors.h"
#include "media/picture.h"
#include "tests/fuzz/fuzz_target.h"

namespace layerpipe::testing {

// Small pictures are as good as large ones, and what is taken beyond their pixels shows against run.sh's
// limit.
inline constexpr std::uint64_t kMaxPixels = 1 << 18;

template <typename Reader>
void fuzz_picture(const Reader& read, const std::uint8_t* data, std::size_t size) {
  accept_or_refuse([&] {
    const media::Picture picture = read(media::PictureFile{bytes_of(data, size), kInputName, kMaxPixels});
    common::ensure(media::is_valid(picture.image), "a picture is not valid");
    common::ensure(picture.image.pixels.size() <= 4 * kMaxPixels, "a picture is too large");
    for (const std::string& remark : picture.remarks) {
      check_message(common::InputError(std::string(kInputName) + ": " + remark));
    }
  });
}

}  // namespace layerpipe::testing
