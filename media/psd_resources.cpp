#include "media/psd_resources.h"

#include <cstdint>
#include <string>

#include "media/psd_names.h"
#include "media/psd_preview.h"
#include "media/srgb_profile.h"

namespace layerpipe::media {
namespace {

constexpr std::uint16_t kResolution = 1005;
constexpr std::uint16_t kThumbnail = 1036;
constexpr std::uint16_t kIccProfile = 1039;
constexpr std::uint16_t kVersionInfo = 1057;

template <typename Content>
void put_resource(PsdOutput& out, std::uint16_t id, const Content& content) {
  out.put_text("8BIM");
  out.put_u16(id);
  out.put_u16(0);  // an empty name, padded
  const std::uint64_t start = out.begin_section();
  content();
  out.end_section(start);
  out.put_zeros((out.size() - start) % 2);  // which the length does not count
}

void put_resolution(PsdOutput& out) {
  constexpr std::uint32_t kDotsPerInch = 72 << 16;  // 16 bits before the point and 16 behind it
  constexpr std::uint16_t kPerInch = 1;
  constexpr std::uint16_t kInches = 1;
  for (int direction = 0; direction < 2; ++direction) {
    out.put_u32(kDotsPerInch);
    out.put_u16(kPerInch);
    out.put_u16(kInches);
  }
}

void put_thumbnail(PsdOutput& out, const Thumbnail& thumbnail) {
  constexpr std::uint32_t kJpegRgb = 1;
  constexpr std::uint16_t kBitsPerPixel = 24;
  const auto width = static_cast<std::uint32_t>(thumbnail.width);
  const auto height = static_cast<std::uint32_t>(thumbnail.height);
  const std::uint32_t row_bytes = (width * kBitsPerPixel + 31) / 32 * 4;
  out.put_u32(kJpegRgb);
  out.put_u32(width);
  out.put_u32(height);
  out.put_u32(row_bytes);
  out.put_u32(row_bytes * height);  // when it is unpacked
  out.put_u32(static_cast<std::uint32_t>(thumbnail.jpeg.size()));
  out.put_u16(kBitsPerPixel);
  out.put_u16(1);  // planes
  out.put(thumbnail.jpeg);
}

void put_version_info(PsdOutput& out, std::string_view generator) {
  const std::u16string program = psd_unicode_name(generator);
  out.put_u32(1);  // version
  out.put_u8(1);   // the merged picture is a real one
  out.put_unicode(program);
  out.put_unicode(program);  // the program that can read it
  out.put_u32(1);            // file version
}

}  // namespace

void put_image_resources(PsdOutput& out, const Image& merged, std::string_view generator) {
  const std::uint64_t start = out.begin_section();
  put_resource(out, kResolution, [&] { put_resolution(out); });
  put_resource(out, kThumbnail, [&] { put_thumbnail(out, make_thumbnail(merged)); });
  put_resource(out, kIccProfile, [&] { out.put(kSrgbProfile); });
  put_resource(out, kVersionInfo, [&] { put_version_info(out, generator); });
  out.end_section(start);
}

}  // namespace layerpipe::media
