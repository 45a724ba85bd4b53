// How much memory the writing of a result takes.
#pragma once

#include <cstdint>

#include "results/document_writing.h"
#include "results/formats.h"
#include "results/run_record.h"

namespace layerpipe::results {

// Bytes that writing a result in one format takes at most, whatever is in its pictures, beside what the
// threads that encode have for themselves.
std::uint64_t writing_bytes(Format format, const RunRecord& record);

// What such a thread has at most.
inline constexpr std::uint64_t kEncodingThreadBytes = 4 << 20;

// Bytes that one layer has at its final size.
std::uint64_t layer_bytes(const RunRecord& record);

// Bytes that making one takes at most.
std::uint64_t reading_bytes(const RunRecord& record);

// What writing may take of this machine now: LibTorch's CPU threads, and the memory that is free.
WritingLimits writing_limits();

}  // namespace layerpipe::results
