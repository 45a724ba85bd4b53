// What PNG does to rows before it deflates them (PNG specification, chapter 9: Filtering).
#pragma once

#include <cstddef>
#include <vector>

#include "media/image.h"

namespace layerpipe::media {

// The rows [first, end) of `image`, each as the number of its filter and its filtered bytes,
// (end - first) * (1 + image.row_bytes()). For each row that filter is taken whose bytes, as numbers of
// −128 … 127, have the smallest sum of magnitudes; of equals the first of none, sub, up, average and Paeth:
// what the specification recommends, and libpng does. `image` is valid, and the rows are among its own.
std::vector<std::byte> filtered_rows(const Image& image, int first, int end);

}  // namespace layerpipe::media
