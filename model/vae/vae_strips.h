// Which rows the local parts of the VAE read to make given rows: the arithmetic behind exact strips.
//
// Before the middle block of the encoder and behind that of the decoder, every output row depends on a
// bounded band of input rows. A strip computed from that band alone is exact: zero padding at an artificial
// edge reaches only rows that are cropped away. All functions are pure and take their sizes from the config.
#pragma once

#include <cstdint>
#include <vector>

#include "common/range.h"
#include "model/config.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {

// Strips of `latent_rows` rows of latents: at least two where possible, at most 32 rows each, equal but for
// the last. A function of the picture's height alone, so that results do not depend on who computes which
// strip.
std::vector<common::Range> vae_strips(std::int64_t latent_rows);

// Rows in front of each up block of the decoder, and behind the last one, that the picture rows of `strip`
// (latent rows) need. Entry i belongs to the input of up block i, in rows of that resolution; the last entry
// to the input of the output convolution.
std::vector<common::Range> decoder_strip_rows(const VaeConfig& config, const common::Range& strip,
                                              std::int64_t latent_rows);

// The same for the encoder: entry 0 is the band of picture rows that goes in, entry i the input of level i,
// the last entry what goes into the middle block (which is `strip`).
std::vector<common::Range> encoder_strip_rows(const VaeConfig& config, const common::Range& strip,
                                              std::int64_t latent_rows);

}  // namespace layerpipe::model
