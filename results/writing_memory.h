// How much memory the writing of a result takes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "results/document_writing.h"
#include "results/formats.h"
#include "results/run_record.h"
#include "runtime/device/memory.h"

namespace layerpipe::results {

// Bytes that writing a result in one format takes at most, whatever is in its pictures, beside what the
// threads that encode have for themselves.
std::uint64_t writing_bytes(Format format, const RunRecord& record);
// The same for layers of a size, without another picture.
std::uint64_t writing_bytes(Format format, const common::Size& layers);

// Throws DoesNotFitError when writing takes more than a machine has free. `what` is what is written, as a
// message begins: "writing layers of 9 × 9 pixels"; `cure` what helps beside more memory, as it ends.
void check_memory(const std::string& what, std::uint64_t bytes, const runtime::MemoryUse& machine,
                  const std::string& cure = ".");

// The same for documents of such layers, of which each format takes memory for itself: the cure names the
// formats that fit.
void check_document_memory(const common::Size& layers, std::span<const Format> formats,
                           const std::function<std::uint64_t(Format)>& bytes,
                           const runtime::MemoryUse& machine);

// Bytes that putting layers of a size on each other, and writing that, takes beside one layer.
std::uint64_t merging_bytes(const common::Size& layers);

// What such a thread has at most.
inline constexpr std::uint64_t kEncodingThreadBytes = 4 << 20;

// Bytes that one layer has at its final size.
std::uint64_t layer_bytes(const RunRecord& record);

// Bytes that making one takes at most.
std::uint64_t reading_bytes(const RunRecord& record);

// What writing may take of this machine now: LibTorch's CPU threads, and the memory that is free.
WritingLimits writing_limits();

}  // namespace layerpipe::results
