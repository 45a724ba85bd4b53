// Whether the disks have room for what a run will write: asked before the work begins.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "common/size.h"
#include "model/config.h"
#include "results/output_options.h"
#include "results/report.h"
#include "runtime/request/request.h"

namespace layerpipe::results {

// At least as many bytes as one result's files in these formats and its run.json take, also while they are
// written, whatever is in the pictures.
std::uint64_t most_result_bytes(const runtime::Request& request, const common::Size& layer_size,
                                std::span<const Format> formats);

// At least as many bytes as the dumped latents and embeddings of a result take.
std::uint64_t most_dump_bytes(const runtime::Request& request, const model::ModelConfig& model);

// Throws InputError naming --out or --dump-latents when its disk has less room than all requests together may
// need; records[i] is the result of requests[i]. A disk that does not tell is taken to have room.
void check_disk_space(const OutputOptions& options, const std::vector<runtime::Request>& requests,
                      const std::vector<ResultRecord>& records, const model::ModelConfig& model);

}  // namespace layerpipe::results
