// Layers that several files are made of.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "media/image.h"
#include "results/document_writing.h"

namespace layerpipe::results {

// Makes each of `layers` the function that makes its picture the first time that it is called and copies it
// after that, if all of them together, of `layer_bytes` each, take no more than a quarter of the memory in
// `limits`, which is less by that then. Otherwise nothing changes: each call makes the picture. Enlarging a
// layer, or unpacking it, takes twenty times as long as copying it, and a layer is asked for up to eight
// times. The functions may be called by any number of threads.
void keep_layers(std::vector<std::function<media::Image()>>& layers, std::uint64_t layer_bytes,
                 WritingLimits& limits);

}  // namespace layerpipe::results
