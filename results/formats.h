// What a result's layers can be written as.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "common/size.h"

namespace layerpipe::results {

enum class Format { kPng, kPsd, kPptx, kOra, kZip, kHtml };

inline constexpr std::array kFormats{Format::kPng, Format::kPsd, Format::kPptx,
                                     Format::kOra, Format::kZip, Format::kHtml};
// Those that hold all layers in one file.
inline constexpr std::span<const Format> kDocumentFormats = std::span(kFormats).subspan(1);

// What becomes of layers without a visible pixel in documents (--drop-empty).
enum class EmptyLayers { kKeep, kDrop };

// "psd", as --format takes it.
const char* to_string(Format format);

// "layers.psd". PNG has a file for each layer instead.
std::string document_name(Format format);

bool contains(std::span<const Format> formats, Format format);
bool has_documents(std::span<const Format> formats);

// "png, psd, pptx, ora, zip or html".
std::string list_of(std::span<const Format> formats);

// Throws InputError when one of these cannot hold pictures of this size: for callers who want to know before
// they work.
void check_sizes(std::span<const Format> formats, const common::Size& layer_size);

// Throws InputError naming --format when this build cannot write one of these.
void check_built(std::span<const Format> formats);

}  // namespace layerpipe::results
