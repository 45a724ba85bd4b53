// A picture in layers, as the writers of documents see it: psd_writer.h, pptx_writer.h, ora_writer.h,
// html_writer.h.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "media/encoding.h"
#include "media/image.h"

namespace layerpipe::media {

// One layer. Pixels are read when a writer needs them and let go after it, so that a document of many large
// layers takes the memory of one.
struct DocumentLayer {
  std::string name;  // UTF-8 of any length; each writer makes it safe for its format
  // The layer at the document's size, straight alpha; may be asked for several times and gives the same then.
  std::function<Image()> read;
};

// Neighbours among a document's layers that are shown as one: those of [begin, end), at least one.
struct DocumentGroup {
  std::string name;  // as that of a layer
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct Document {
  int width = 0;  // pixels
  int height = 0;
  std::string title;                  // UTF-8: the prompt, or the input's name
  std::string generator;              // "layerpipe 0.1.0"
  std::vector<DocumentLayer> layers;  // from the back to the front; at least one
  // What to show to a person beside the picture: ("Seed", "777"). UTF-8.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::function<Image()> original;  // the input, at the document's size; may be absent
  // Two are apart, or one lies in the other and then stands behind it.
  std::vector<DocumentGroup> groups{};
  EncodingWork encoding;  // of its pictures
};

// What stands where in a document with groups, from the back to the front.
struct DocumentStep {
  enum class Kind { kBeginGroup, kLayer, kEndGroup };
  Kind kind;
  std::size_t index;  // among the groups or the layers
};

// Throws InternalError when the groups are not as they have to be.
std::vector<DocumentStep> document_steps(const Document& document);

// "house / door": a layer's name behind those of its groups, for documents that know no groups.
std::string full_name(const Document& document, std::size_t layer);

// All layers on each other. Holds one layer at a time beside the sum. Throws InputError when a layer has
// another size than the document.
Image composite(const Document& document);

}  // namespace layerpipe::media
