// Deflate in runs that are made independently of each other, so that several threads can make one stream.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace layerpipe::media {

// The most bytes of a run.
inline constexpr std::size_t kMaxRunBytes = std::size_t{1} << 30;

// `bytes`, 1 to kMaxRunBytes of them and rows of filtered pixels, as deflate blocks (RFC 1951) that refer to
// nothing before them, none of which is marked as the last one, ended at a whole byte. Runs behind each other
// and kLastBlock behind them are a deflate stream of all their bytes. The same bytes give the same run (with
// the same version of zlib). Any number of threads. Throws InternalError when zlib fails, std::bad_alloc when
// memory is short.
//
// Long and distant repetitions are looked for only where they pay. In what a camera took, or a network drew
// with some noise, there are none, and the search takes most of zlib's time for a result that is larger than
// that of counting bytes and their immediate repetitions. An eighth of the run is deflated both ways to see
// which is shorter.
std::vector<std::byte> deflate_run(std::span<const std::byte> bytes);

// An empty block that is the last one.
inline constexpr std::byte kLastBlock[] = {std::byte{0x03}, std::byte{0x00}};

}  // namespace layerpipe::media
