// What the layers of a result are called in documents.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::results {

// Names for `count` layers from the back to the front. When `prompt` plainly lists as many things as there
// are layers ("sky, hills and a house"), those are their names; when it lists one fewer, the layer at the
// back is the "Background". Otherwise "Layer 0", "Layer 1" …, with the numbers of layer_0.png, layer_1.png.
//
// A list has at least two entries, with commas, semicolons or line ends between them, or " and " before the
// last one, in English or in Chinese ("天空，远山和房子"); each has 1 to 40 bytes in at most four words, or
// eight characters of Chinese or Japanese, and no other punctuation. Anything else is a description: the
// model does not promise which layer shows what, so a name is only taken from a prompt that can hardly mean
// anything else.
std::vector<std::string> layer_names(std::string_view prompt, std::size_t count);

}  // namespace layerpipe::results
