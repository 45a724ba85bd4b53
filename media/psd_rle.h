// The compression of PSD's rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace layerpipe::media {

// Appends `row` in PackBits (Apple Technical Note TN1023) to `packed`. A row of n bytes takes at most
// n + ceil(n / 128): noise grows by less than 1 %. The code 128, which readers skip or stumble over, is not
// used.
void append_packed(std::span<const std::uint8_t> row, std::vector<std::uint8_t>& packed);

// Fills `row` with what `packed` holds, in PackBits; false unless it is exactly that long. The code 128 says
// nothing, as in Apple's note, and so does what some programs append to a row.
bool unpack_row(std::span<const std::byte> packed, std::span<std::uint8_t> row);

}  // namespace layerpipe::media
