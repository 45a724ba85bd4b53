// The words of Photoshop documents that psd_layers.cpp refuses by name. Not for other files.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace layerpipe::media {

// Four letters, and what Photoshop calls it.
struct Word {
  std::string_view key;
  std::string_view means;
};

inline constexpr std::array kModes = {
    Word{"pass", "Pass Through"}, Word{"diss", "Dissolve"},     Word{"dark", "Darken"},
    Word{"mul ", "Multiply"},     Word{"idiv", "Color Burn"},   Word{"lbrn", "Linear Burn"},
    Word{"dkCl", "Darker Color"}, Word{"lite", "Lighten"},      Word{"scrn", "Screen"},
    Word{"div ", "Color Dodge"},  Word{"lddg", "Linear Dodge"}, Word{"lgCl", "Lighter Color"},
    Word{"over", "Overlay"},      Word{"sLit", "Soft Light"},   Word{"hLit", "Hard Light"},
    Word{"vLit", "Vivid Light"},  Word{"lLit", "Linear Light"}, Word{"pLit", "Pin Light"},
    Word{"hMix", "Hard Mix"},     Word{"diff", "Difference"},   Word{"smud", "Exclusion"},
    Word{"fsub", "Subtract"},     Word{"fdiv", "Divide"},       Word{"hue ", "Hue"},
    Word{"sat ", "Saturation"},   Word{"colr", "Color"},        Word{"lum ", "Luminosity"}};

// Blocks that make a layer more than its pixels.
inline constexpr std::array kKinds = {Word{"SoLd", "a smart object"},
                                      Word{"SoLE", "a smart object"},
                                      Word{"PlLd", "a smart object"},
                                      Word{"plLd", "a smart object"},
                                      Word{"SoCo", "a fill or a shape"},
                                      Word{"GdFl", "a fill or a shape"},
                                      Word{"PtFl", "a fill or a shape"},
                                      Word{"vscg", "a fill or a shape"},
                                      Word{"brit", "an adjustment (Brightness/Contrast)"},
                                      Word{"CgEd", "an adjustment (Brightness/Contrast)"},
                                      Word{"levl", "an adjustment (Levels)"},
                                      Word{"curv", "an adjustment (Curves)"},
                                      Word{"expA", "an adjustment (Exposure)"},
                                      Word{"vibA", "an adjustment (Vibrance)"},
                                      Word{"hue ", "an adjustment (Hue/Saturation)"},
                                      Word{"hue2", "an adjustment (Hue/Saturation)"},
                                      Word{"blnc", "an adjustment (Color Balance)"},
                                      Word{"blwh", "an adjustment (Black & White)"},
                                      Word{"phfl", "an adjustment (Photo Filter)"},
                                      Word{"mixr", "an adjustment (Channel Mixer)"},
                                      Word{"clrL", "an adjustment (Color Lookup)"},
                                      Word{"nvrt", "an adjustment (Invert)"},
                                      Word{"post", "an adjustment (Posterize)"},
                                      Word{"thrs", "an adjustment (Threshold)"},
                                      Word{"grdm", "an adjustment (Gradient Map)"},
                                      Word{"selc", "an adjustment (Selective Color)"},
                                      Word{"artb", "an artboard"},
                                      Word{"artd", "an artboard"},
                                      Word{"abdd", "an artboard"}};

// What a block or a mode is called; empty when it is in no list.
template <typename Words>
std::string_view meaning_of(const Words& words, std::string_view key) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.key == key; });
  return found == words.end() ? std::string_view() : found->means;
}

}  // namespace layerpipe::media
