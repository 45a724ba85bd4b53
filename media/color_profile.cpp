#include "media/color_profile.h"

#include <lcms2.h>
#include <lcms2_plugin.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

// Little CMS's handles are void*.
struct ProfileClose {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct TransformDelete {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
struct ContextDelete {
  void operator()(cmsContext context) const { cmsDeleteContext(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<cmsContext>, ContextDelete>;
using Profile = std::unique_ptr<void, ProfileClose>;
using Transform = std::unique_ptr<void, TransformDelete>;

// A color that moves by no more than this is the same: profiles of sRGB differ in how finely they tabulate
// its curve. The closest relative that is none, gamma 2.2, moves dark ones by 9.
constexpr int kSameColor = 2;
constexpr std::size_t kLongestName = 60;

// Little CMS takes as much memory as a profile's tags say that they need, up to 512 MiB, before it looks
// whether the profile has so many bytes. What it needs for profiles of up to kMaxProfileBytes, it gets.
constexpr std::size_t kMaxAllocation = 2 * kMaxProfileBytes;

void* allocate(cmsContext, cmsUInt32Number size) {
  return size > kMaxAllocation ? nullptr : std::malloc(size);
}
void release(cmsContext, void* memory) {
  std::free(memory);
}
void* reallocate(cmsContext, void* memory, cmsUInt32Number size) {
  return size > kMaxAllocation ? nullptr : std::realloc(memory, size);
}

Context make_context() {
  cmsPluginMemHandler handler{};
  handler.base = {cmsPluginMagicNumber, 2000, cmsPluginMemHandlerSig, nullptr};
  handler.MallocPtr = allocate;
  handler.FreePtr = release;
  handler.ReallocPtr = reallocate;
  Context context(cmsCreateContext(&handler, nullptr));
  common::ensure(context != nullptr, "Little CMS could not be started");
  return context;
}

// The profile's own name; may be empty. It comes from the file, so what a terminal could take for a command
// is left out.
std::string name_of(const Profile& profile) {
  std::array<char, 256> text{};
  cmsGetProfileInfoASCII(profile.get(), cmsInfoDescription, "en", "US", text.data(), text.size());
  std::string name;
  for (const char c : text) {
    if (c == '\0' || name.size() == kLongestName) break;
    name += c >= ' ' && c <= '~' && c != '"' ? c : '?';
  }
  return name;
}

// The text follows "its colour profile".
std::string in_quotes(const std::string& name) {
  return name.empty() ? name : " \"" + name + "\"";
}

// The profiles of sRGB that the ICC calls "preference" render colours anew on their way to print; what the
// file holds is sRGB all the same.
bool is_srgb_by_name(const Profile& profile) {
  return name_of(profile).starts_with("sRGB");
}

Transform to_srgb(const Profile& profile, cmsUInt32Number format, cmsUInt32Number intent) {
  const Profile srgb(cmsCreate_sRGBProfileTHR(cmsGetProfileContextID(profile.get())));
  common::ensure(srgb != nullptr, "Little CMS could not make its sRGB profile");
  return Transform(cmsCreateTransformTHR(cmsGetProfileContextID(profile.get()), profile.get(), format,
                                         srgb.get(), TYPE_RGBA_8, intent, 0));
}

// What cmsGetColorSpace says, which may be none of its enumerators: a value that the type cannot hold in C++.
// `profile` has a whole header.
std::uint32_t color_space_of(std::span<const std::byte> profile) {
  constexpr std::size_t kPlaceInHeader = 16;
  std::uint32_t value = 0;
  for (const std::byte byte : profile.subspan(kPlaceInHeader, 4)) {
    value = value << 8 | std::to_integer<std::uint32_t>(byte);
  }
  return value;
}

cmsUInt32Number intent_of(const Profile& profile) {
  const bool perceptual = cmsGetHeaderRenderingIntent(profile.get()) == INTENT_PERCEPTUAL;
  return perceptual ? INTENT_PERCEPTUAL : INTENT_RELATIVE_COLORIMETRIC;
}

// A grid over all colors, and every grey.
std::vector<std::uint8_t> sample_colors() {
  std::vector<std::uint8_t> colors;
  for (int i = 0; i < 9 * 9 * 9; ++i) {
    for (const int step : {i % 9, i / 9 % 9, i / 81}) {
      colors.push_back(static_cast<std::uint8_t>(step * 255 / 8));
    }
    colors.push_back(255);
  }
  for (int grey = 0; grey < 256; ++grey) {
    for (int c = 0; c < 4; ++c) colors.push_back(static_cast<std::uint8_t>(c == 3 ? 255 : grey));
  }
  return colors;
}

bool same_colors(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::abs(a[i] - b[i]) > kSameColor) return false;
  }
  return true;
}

// Nothing but damage keeps Little CMS from making a transform.
enum class Outcome { kConverted, kIsSrgb, kDamaged };

Outcome convert_rgb(Image& image, const Profile& profile) {
  if (is_srgb_by_name(profile)) return Outcome::kIsSrgb;
  // Asked without regard to the profile's intent: a perceptual table may move colors that are those of sRGB.
  const Transform colorimetric = to_srgb(profile, TYPE_RGBA_8, INTENT_RELATIVE_COLORIMETRIC);
  const Transform transform = to_srgb(profile, TYPE_RGBA_8, intent_of(profile));
  if (!colorimetric || !transform) return Outcome::kDamaged;
  const std::vector<std::uint8_t> colors = sample_colors();
  std::vector<std::uint8_t> moved = colors;
  cmsDoTransform(colorimetric.get(), moved.data(), moved.data(),
                 static_cast<cmsUInt32Number>(moved.size() / 4));
  if (same_colors(moved, colors)) return Outcome::kIsSrgb;
  for (int y = 0; y < image.height; ++y) {
    cmsDoTransform(transform.get(), image.row(y), image.row(y), static_cast<cmsUInt32Number>(image.width));
  }
  return Outcome::kConverted;
}

Outcome convert_grey(Image& image, const Profile& profile) {
  const Transform transform = to_srgb(profile, TYPE_GRAY_8, intent_of(profile));
  if (!transform) return Outcome::kDamaged;
  std::array<std::uint8_t, 256> greys{};
  std::array<std::uint8_t, 1024> colors{};  // RGB and an alpha that is not looked at
  std::array<std::uint8_t, 1024> same{};
  for (std::size_t i = 0; i < 256; ++i) {
    greys[i] = static_cast<std::uint8_t>(i);
    for (std::size_t c = 0; c < 3; ++c) same[4 * i + c] = greys[i];
  }
  cmsDoTransform(transform.get(), greys.data(), colors.data(), 256);
  if (same_colors(colors, same)) return Outcome::kIsSrgb;
  for (std::size_t i = 0; i < image.pixels.size(); i += 4) {
    const std::size_t entry = 4 * std::size_t{image.pixels[i]};
    for (std::size_t c = 0; c < 3; ++c) image.pixels[i + c] = colors[entry + c];
  }
  return Outcome::kConverted;
}

}  // namespace

void convert_to_srgb(Picture& picture, std::span<const std::byte> profile, ColorModel stored) {
  if (profile.size() > kMaxProfileBytes) {
    picture.remarks.emplace_back(kProfileTooLarge);
    return;
  }
  const Context context = make_context();
  const Profile opened(
      cmsOpenProfileFromMemTHR(context.get(), profile.data(), static_cast<cmsUInt32Number>(profile.size())));
  Outcome outcome = Outcome::kDamaged;
  if (opened) {
    const std::uint32_t space = color_space_of(profile);
    const bool grey = space == cmsSigGrayData && stored == ColorModel::kGrey;
    if (!grey && space != cmsSigRgbData) {
      picture.remarks.push_back("its colour profile" + in_quotes(name_of(opened)) +
                                " was ignored: it is not one for " +
                                (stored == ColorModel::kGrey ? "grey" : "RGB") + " pictures");
      return;
    }
    outcome = grey ? convert_grey(picture.image, opened) : convert_rgb(picture.image, opened);
  }
  if (outcome == Outcome::kDamaged)
    picture.remarks.emplace_back("its colour profile was ignored: it is damaged");
  if (outcome == Outcome::kConverted) {
    picture.remarks.push_back("its colour profile" + in_quotes(name_of(opened)) + " was converted to sRGB");
  }
}

}  // namespace layerpipe::media
