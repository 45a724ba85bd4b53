// The compression of PSD's rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace layerpipe::media {

// Appends `row` in PackBits (Apple Technical Note TN1023) to `packed`. A row of n bytes takes at most
// n + ceil(n / 128): noise grows by less than 1 %. The code 128, which readers skip or stumble over, is not
// used.
void append_packed(std::span<const std::uint8_t> row, std::vector<std::uint8_t>& packed);

}  // namespace layerpipe::media
