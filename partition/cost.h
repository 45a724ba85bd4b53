// What a model costs on whichever device holds a part of it, for one workload: the partitioner's only view of
// a model. Value types; runtime/plan/cost fills them from formulas that live beside what they describe.
#pragma once

#include <cstdint>
#include <vector>

namespace layerpipe::partition {

// One unit that is placed as a whole: a transformer block, a text layer, an embedding, a head.
struct UnitCost {
  std::uint64_t weight_bytes = 0;  // of the device
  double operations = 0;  // floating-point operations of one pass of one microbatch; twice the multiply-adds
  std::uint64_t moved_bytes = 0;  // that come to the device each time that the weights do
  std::uint64_t file_bytes = 0;   // that are read for it
};

// What a chain's stages keep a table of, whether its weights are on the device or not: what every unit makes
// of each timestep (the transformer's modulation). The weights that make it are on the device one after the
// other, right before the work. All members are bytes.
struct TableCost {
  std::uint64_t unit_row_bytes = 0;    // a row's, for each unit
  std::uint64_t last_row_bytes = 0;    // a row's, beside them, in the last stage (of the head)
  std::uint64_t rounding_bytes = 0;    // what the allocator may take beyond the rows, however many they are
  std::uint64_t making_bytes = 0;      // while rows are made: the largest of the weights that pass
  std::uint64_t making_row_bytes = 0;  // beside it, for each row that is made
};

// Units that run one after another and are split into contiguous ranges, one for each stage.
struct ChainCost {
  std::vector<UnitCost> units;
  UnitCost first;                      // beside them, in the first such stage (embedding of the streams)
  UnitCost last;                       // beside them, in the last such stage (the head)
  std::uint64_t conversion_bytes = 0;  // beside the weights, while they come in another dtype than theirs
  std::uint64_t passing_bytes = 0;     // beside the places of units that pass: lost between their tensors
  // So many bytes that pass take one of the device, which keeps a table of the host's pages that it copies
  // from; 0: there is none.
  std::uint64_t passing_per_table_byte = 0;
  std::uint64_t workspace_bytes = 0;    // of one pass, beside the boundary that it works on
  std::uint64_t boundary_bytes = 0;     // what one stage hands to the next
  std::uint64_t alone_bytes = 0;        // of a stage that has no other: in place of what it would hand on
  std::uint64_t state_bytes = 0;        // kept by every stage for each request in flight (rotary tables)
  std::uint64_t first_state_bytes = 0;  // beside it, by the first such stage (latents, prompts)
  std::uint64_t last_state_bytes = 0;   // beside it, by the last such stage (latents, predictions)
  TableCost table;                      // of the transformer
};

// The VAE is dealt out by strips: each rank with a share holds all of its weights. When decoding, each of
// them also computes the part that sees whole pictures. When encoding, stage 0 does that for all, once the
// strips are done.
struct VaeCost {
  std::uint64_t encoder_weight_bytes = 0;
  std::uint64_t decoder_weight_bytes = 0;
  std::uint64_t encode_bytes = 0;        // beside the weights, of a rank with a share: its strips at work
  std::uint64_t encode_whole_bytes = 0;  // beside the weights, of stage 0, after that: the middle block
  std::uint64_t decode_bytes = 0;        // beside the weights, of a rank with a share
  double encode_operations = 0;          // of all strips of a picture together
  double encode_whole_operations = 0;    // of stage 0, after that: the middle block of a picture
  double decode_operations = 0;          // of all strips of a request's layers together
  double decode_whole_operations = 0;    // of all its layers' middle blocks; a rank computes those it decodes
  std::int64_t strips = 1;               // of a picture, and of a layer
  std::int64_t decode_tasks = 1;         // layers · strips: the smallest piece that is dealt out
};

// What a rank takes whatever it computes.
struct OverheadCost {
  std::uint64_t context_bytes = 0;  // the device's context and library handles, from the first call on
  // Of a rank whose weights stream, from then on: the streams of the device that they come over.
  std::uint64_t streaming_bytes = 0;
  // Of a rank that has neighbours: what the library of the channels takes while they are open, which is from
  // the first window's denoising on, through all phases of the windows behind it.
  std::uint64_t channel_bytes = 0;
  // Host memory of whoever loads: pinned staging buffers. A rank whose weights stream has a second one that
  // does, beside the thread that makes the modulation table.
  std::uint64_t host_bytes = 0;
};

struct ModelCost {
  ChainCost transformer;
  ChainCost text_encoder;
  VaeCost vae;
  OverheadCost overhead;
};

// How much there is to do.
struct Workload {
  std::int64_t requests = 1;
  std::int64_t steps = 50;
  std::int64_t branches = 2;  // 1 without guidance
  // How many schedules of timesteps the requests have: those of one size of picture share one.
  std::int64_t schedules = 1;
  // Different timesteps of all requests together, as the network tells them apart: rows of the modulation
  // table that are worth keeping. Those of a window are kept in any case.
  std::int64_t timesteps = 0;
};

}  // namespace layerpipe::partition
