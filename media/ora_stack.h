// stack.xml of an OpenRaster document: which layers there are. Only ora_reader.cpp and its tests include it.
#pragma once

#include <string>
#include <vector>

#include "media/picture.h"

namespace layerpipe::media {

struct OraStackLayer {
  std::string name;    // valid UTF-8, one line; may be empty
  std::string source;  // the entry with its PNG, safe as is_safe_entry_name says
  int x = 0;           // pixels, of its upper left corner in the document; may lie outside
  int y = 0;
  double opacity = 1;  // 0 … 1, its own times those of the groups around it
};

struct OraStack {
  int width = 0;  // pixels
  int height = 0;
  std::vector<OraStackLayer> layers;  // the visible ones, from the back to the front; at least one
};

// `file`: the text of stack.xml, and the name of the document in messages. Groups are dissolved: their
// opacities are multiplied, their offsets are added up as MyPaint does it (Krita passes them over; both write
// none). The root stack has no attributes.
//
// Throws InputError that names the document when it is no such XML; when the size is not allowed
// (check_declared_size); when a visible layer uses a composite-op other than svg:src-over, or a visible
// element is neither a layer nor a stack; when a translucent group has several visible layers, whose
// opacities multiplied would look different; when there are more than 1,000 visible layers, or none, or
// groups nested more than 64 deep.
OraStack parse_ora_stack(const PictureFile& file);

}  // namespace layerpipe::media
