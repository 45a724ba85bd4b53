#include "media/psd_layers.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "common/errors.h"
#include "media/picture_errors.h"
#include "media/psd_input.h"
#include "media/psd_words.h"
#include "media/safe_name.h"

namespace layerpipe::media {
namespace {

using common::InputError;
using namespace std::string_view_literals;

constexpr std::size_t kMaxLayers = 1000;
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kShownBytes = 60;  // of a name, in messages
constexpr const char* kRasterize =
    "In the program that it comes from, turn it into plain pixels (rasterize it) or merge it with the layer "
    "below, "
    "and save the document again.";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

// A PSD "Unicode string": the number of units in 32 bits, and the units. Halves of pairs that stand alone
// become no UTF-8, which safe_text replaces; so does the 0 that some programs put at the end, unless it is
// left out.
std::string unicode_text(PsdInput& input) {
  const std::uint32_t count = std::min<std::uint32_t>(input.u32(), kMaxNameBytes);
  std::string text;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t code = input.u16();
    if (code == 0) break;
    if (code >= 0xd800 && code < 0xdc00 && i + 1 < count) {
      PsdInput ahead = input;
      const std::uint32_t low = ahead.u16();
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        input = ahead;
        ++i;
      }
    }
    append_utf8(text, code);
  }
  return safe_text(text, kMaxNameBytes);
}

enum class Divider { kNone, kGroup, kEnd };

// A layer, a group or the end of one, as its record says.
struct Record {
  PsdLayer layer;
  std::vector<std::pair<std::int16_t, std::uint64_t>> channels;  // number and bytes
  Divider divider = Divider::kNone;
  std::string mode;  // of blending
  bool is_clipped = false;
  bool is_hidden = false;
  bool is_text = false;
  bool has_other_content = false;  // than its pixels, as its flags say
  std::string refused;             // what it is or has that is not read
};

class Parser {
 public:
  explicit Parser(const PictureFile& file) : file_(file), input_(file, file.bytes) {}

  PsdLayers parse() {
    read_header();
    input_.take(input_.u32());  // a palette
    read_resources();
    read_records();
    add_layers();
    if (result_.layers.empty())
      throw InputError(file_.name + " has no visible layer", "Make a layer visible and save it again.");
    std::reverse(result_.layers.begin(), result_.layers.end());
    return std::move(result_);
  }

 private:
  InputError damage(const std::string& what) const { return psd_damaged(file_, what); }

  static std::string called(const Record& record) {
    return (record.divider == Divider::kGroup ? "the group \"" : "the layer \"") +
           safe_text(record.layer.name, kShownBytes) + '"';
  }

  void read_header() {
    constexpr std::array kColors = {"Bitmap", "Grayscale", "Indexed Color", "RGB",     "CMYK",
                                    "",       "",          "Multichannel",  "Duotone", "Lab"};
    constexpr std::size_t kRgb = 3;
    if (input_.text(4) != "8BPS") throw damage("it does not begin with 8BPS");
    const std::uint16_t version = input_.u16();
    if (version != 1 && version != 2) throw damage("it has the version " + std::to_string(version));
    result_.is_large = version == 2;
    input_.take(6);
    input_.u16();  // channels of the merged picture
    const std::uint32_t height = input_.u32();
    const std::uint32_t width = input_.u32();
    const std::uint16_t bits = input_.u16();
    const std::uint16_t colors = input_.u16();
    check_declared_size(file_, width, height);
    result_.width = static_cast<int>(width);
    result_.height = static_cast<int>(height);
    if (colors != kRgb) {
      const std::string name = colors < kColors.size() ? kColors[colors] : "";
      throw InputError(file_.name + " is a Photoshop document in " +
                           (name.empty() ? "an unknown kind of colours" : name) + "; only RGB is read",
                       "Convert it to RGB (in Photoshop: Image > Mode > RGB Color) and save it again.");
    }
    if (bits != 8) {
      throw InputError(
          file_.name + " is a Photoshop document of " + std::to_string(bits) +
              " bits a channel; only 8 are read",
          "Convert it to 8 bits (in Photoshop: Image > Mode > 8 Bits/Channel) and save it again.");
    }
  }

  void read_resources() {
    constexpr std::uint16_t kProfile = 1039;
    PsdInput resources = input_.part(input_.u32());
    while (resources.left() >= 12) {
      resources.take(4);  // "8BIM", or the name of the program that it belongs to
      const std::uint16_t number = resources.u16();
      const std::uint8_t name_bytes = resources.u8();
      resources.take(name_bytes + (name_bytes % 2 == 0 ? 1 : 0));
      const std::uint32_t bytes = resources.u32();
      const auto content = resources.take(bytes);
      if (resources.left() > 0) resources.take(bytes % 2);
      if (number == kProfile && !result_.profile) result_.profile = content;
    }
  }

  void read_records() {
    constexpr const char* kFlat = "Save it with its layers: what was flattened cannot be taken apart again.";
    PsdInput section = input_.part(input_.length(result_.is_large));
    if (section.left() == 0) throw InputError(file_.name + " has no layers", kFlat);
    PsdInput layers = section.part(section.length(result_.is_large));
    if (layers.left() == 0) throw InputError(file_.name + " has no layers", kFlat);
    const int count = std::abs(int{layers.i16()});  // negative: the merged picture has transparency
    if (count == 0) throw InputError(file_.name + " has no layers", kFlat);
    for (int i = 0; i < count; ++i) records_.push_back(read_record(layers));
    for (Record& record : records_) {
      for (const auto& [number, bytes] : record.channels) {
        const auto content = layers.take(bytes);
        if (number >= -1 && number <= 2) record.layer.channels[number == -1 ? 3 : number] = content;
      }
    }
  }

  Record read_record(PsdInput& input) const {
    constexpr std::uint8_t kHidden = 0x02;
    constexpr std::uint8_t kPixelsDoNotMatter = 0x18;  // which counts where it says that it counts
    constexpr std::uint16_t kMostChannels = 56;
    Record record;
    read_box(input, record.layer);
    const std::uint16_t channels = input.u16();
    if (channels > kMostChannels) throw damage("a layer has " + std::to_string(channels) + " channels");
    for (std::uint16_t i = 0; i < channels; ++i) {
      const std::int16_t number = input.i16();
      record.channels.emplace_back(number, input.length(result_.is_large));
    }
    if (input.text(4) != "8BIM") throw damage("a layer's record does not say 8BIM");
    record.mode = input.text(4);
    record.layer.opacity = input.u8() / 255.0;
    record.is_clipped = input.u8() != 0;
    const std::uint8_t flags = input.u8();
    record.is_hidden = (flags & kHidden) != 0;
    record.has_other_content = (flags & kPixelsDoNotMatter) == kPixelsDoNotMatter;
    input.u8();
    PsdInput extra = input.part(input.u32());
    read_mask(extra.part(extra.u32()), record);
    read_blending_ranges(extra.part(extra.u32()), record);
    const std::uint8_t name_bytes = extra.u8();
    record.layer.name = safe_text(extra.text(name_bytes), kMaxNameBytes);
    extra.take(std::min<std::size_t>(3 - name_bytes % 4, extra.left()));
    read_blocks(extra, record);
    return record;
  }

  void read_box(PsdInput& input, PsdLayer& layer) const {
    const std::int64_t top = input.i32();
    const std::int64_t left = input.i32();
    const std::int64_t bottom = input.i32();
    const std::int64_t right = input.i32();
    const std::int64_t width = right - left;
    const std::int64_t height = bottom - top;
    if (width < 0 || height < 0) throw damage("a layer ends before it begins");
    layer.top = static_cast<std::int32_t>(top);
    layer.left = static_cast<std::int32_t>(left);
    layer.width = static_cast<int>(std::min<std::int64_t>(width, kMaxSide + 1));
    layer.height = static_cast<int>(std::min<std::int64_t>(height, kMaxSide + 1));
  }

  static void refuse(Record& record, std::string_view what) {
    if (record.refused.empty()) record.refused = what;
  }

  // The pixels of a mask are a channel. Some programs write the rest of one where there is none.
  static void read_mask(PsdInput mask, Record& record) {
    constexpr std::int16_t kFirstMask = -2;
    constexpr std::size_t kFlagsPlace = 17;
    constexpr std::uint8_t kDisabled = 0x02;
    mask.take(std::min(kFlagsPlace, mask.left()));
    const bool is_disabled = mask.left() > 0 && (mask.u8() & kDisabled) != 0;
    bool has_pixels = false;
    for (const auto& [number, bytes] : record.channels) has_pixels = has_pixels || number <= kFirstMask;
    if (has_pixels && !is_disabled) refuse(record, "a layer mask");
  }

  // For each channel, which of its own values and of those below are blended: from 0 to 255 usually.
  static void read_blending_ranges(PsdInput ranges, Record& record) {
    constexpr std::uint32_t kAll = 0x0000ffff;
    while (ranges.left() >= 4) {
      const std::uint32_t range = ranges.u32();
      if (range != kAll && range != 0) refuse(record, "the advanced blending \"Blend If\"");
    }
  }

  void read_blocks(PsdInput& input, Record& record) const {
    while (input.left() >= 12) {
      const std::string_view mark = input.text(4);
      if (mark != "8BIM" && mark != "8B64") throw damage("a layer has a part that does not say 8BIM");
      const std::string_view key = input.text(4);
      constexpr std::array kWide = {"LMsk"sv, "Lr16"sv, "Lr32"sv, "Layr"sv, "Mt16"sv, "Mt32"sv, "Mtrn"sv,
                                    "Alph"sv, "FMsk"sv, "lnk2"sv, "FEid"sv, "FXid"sv, "PxSD"sv};
      const bool is_wide = result_.is_large && std::find(kWide.begin(), kWide.end(), key) != kWide.end();
      read_block(key, input.part(input.length(is_wide)), record);
      // Some programs fill up to two bytes, some to four, some not at all.
      for (PsdInput ahead = input; ahead.left() > 0 && ahead.u8() == 0;) input = ahead;
    }
  }

  void read_block(std::string_view key, PsdInput block, Record& record) const {
    if (key == "luni") {
      record.layer.name = unicode_text(block);
    } else if (key == "lsct" || key == "lsdk") {
      read_divider(block, record);
    } else if (key == "iOpa") {
      if (block.left() > 0)
        record.layer.opacity *= block.u8() / 255.0;  // of the fill: the same without effects
    } else if (key == "TySh" || key == "tySh") {
      record.is_text = true;
    } else if (key == "vmsk" || key == "vsms") {
      constexpr std::uint32_t kDisabled = 4;
      if (block.left() >= 8) {
        block.u32();
        if ((block.u32() & kDisabled) == 0) refuse(record, "a vector mask");
      }
    } else if (key == "lfx2" || key == "lmfx" || key == "lfxs") {
      // A descriptor; its entries hold a key and, behind "bool", a byte.
      const std::string_view text = text_of(block.take(block.left()));
      const bool is_off = text.find("masterFXSwitchbool\0"sv) != text.npos;
      if (!is_off && text.find("enabbool\1"sv) != text.npos) refuse(record, "effects (a layer style)");
    } else if (key == "knko") {
      if (block.left() > 0 && block.u8() != 0) refuse(record, "a knockout");
    } else if (key == "brst") {
      if (block.left() > 0) refuse(record, "channels that are left out of blending");
    } else if (const std::string_view kind = meaning_of(kKinds, key); !kind.empty()) {
      refuse(record, kind);
    }
  }

  void read_divider(PsdInput& block, Record& record) const {
    switch (block.u32()) {
      case 0:
        return;
      case 1:
      case 2:
        record.divider = Divider::kGroup;
        break;
      case 3:
        record.divider = Divider::kEnd;
        return;
      default:
        throw damage("a group of an unknown kind");
    }
    if (block.left() < 8) return;
    block.take(4);
    record.mode = block.text(4);
  }

  // What can be refused before work begins is refused here.
  void check(const Record& record) const {
    const bool is_group = record.divider == Divider::kGroup;
    if (!record.refused.empty()) {
      const bool is_a_kind = record.refused.starts_with("an ") || record.refused == "a smart object" ||
                             record.refused == "a fill or a shape";
      throw InputError(file_.name + ": " + called(record) + (is_a_kind ? " is " : " has ") + record.refused +
                           "; only plain pixels are read",
                       kRasterize);
    }
    if (record.is_clipped) {
      throw InputError(
          file_.name + ": " + called(record) + " is clipped by the layer below; only plain pixels are read",
          kRasterize);
    }
    if (record.mode != "norm" && !(is_group && record.mode == "pass")) {
      const std::string_view mode = meaning_of(kModes, record.mode);
      throw InputError(file_.name + ": " + called(record) + " has the blending mode " +
                           (mode.empty() ? safe_text(record.mode, kShownBytes) : std::string(mode)) +
                           "; only Normal is read",
                       "Set it to Normal, or merge it with the layers below, and save the document again.");
    }
    if (is_group) return;
    const PsdLayer& layer = record.layer;
    if (layer.width == 0 || layer.height == 0) {
      if (!record.is_text && !record.has_other_content) return;
      throw InputError(file_.name + ": " + called(record) + " is " +
                           (record.is_text ? "a text" : "something else") +
                           " without pixels; only plain pixels are read",
                       kRasterize);
    }
    check_declared_size({{}, file_.name + ": " + called(record), file_.max_pixels},
                        static_cast<std::uint32_t>(layer.width), static_cast<std::uint32_t>(layer.height));
    for (std::size_t c = 0; c < 3; ++c)
      if (!layer.channels[c]) throw damage("a layer lacks a colour");
  }

  struct Group {
    Record* record;
    bool is_hidden;  // it, or one around it
    double opacity;  // of it and those around it
    std::size_t layers_before;
  };

  // The file begins at the back, and a group's own record lies in front of its layers: seen from the front, a
  // group begins with its record, and its end is the last.
  void add_layers() {
    std::vector<Group> groups;
    for (auto record = records_.rbegin(); record != records_.rend(); ++record) {
      const bool is_within_hidden = !groups.empty() && groups.back().is_hidden;
      const double around = groups.empty() ? 1 : groups.back().opacity;
      if (record->divider == Divider::kEnd) {
        if (groups.empty()) throw damage("a group ends that did not begin");
        check_translucency(groups.back());
        groups.pop_back();
      } else if (record->divider == Divider::kGroup) {
        if (groups.size() == kMaxDepth) throw damage("groups are nested more than 64 deep");
        const bool is_hidden = is_within_hidden || record->is_hidden;
        if (!is_hidden) check(*record);
        groups.push_back({&*record, is_hidden, around * record->layer.opacity, result_.layers.size()});
      } else if (!is_within_hidden && !record->is_hidden) {
        check(*record);
        if (result_.layers.size() == kMaxLayers) {
          throw InputError(file_.name + " has more than " + std::to_string(kMaxLayers) + " visible layers",
                           "Merge some of them and save the document again.");
        }
        result_.layers.push_back(record->layer);
        result_.layers.back().opacity *= around;
      }
    }
    if (!groups.empty()) throw damage("a group does not end");
  }

  // One fades such a group as a whole: where its layers overlap, the lower ones do not shine through.
  void check_translucency(const Group& group) const {
    const double opacity = group.record->layer.opacity;
    const std::size_t count = result_.layers.size() - group.layers_before;
    if (group.is_hidden || count < 2 || opacity <= 0 || opacity >= 1) return;
    throw InputError(
        file_.name + ": " + called(*group.record) + " has an opacity of " +
            std::to_string(std::lround(100 * opacity)) + " % and " + std::to_string(count) +
            " visible layers; such groups are read with one",
        "Merge the group's layers, or give it an opacity of 100 %, and save the document again.");
  }

  const PictureFile& file_;
  PsdInput input_;
  PsdLayers result_;
  std::vector<Record> records_;
};

}  // namespace

PsdLayers parse_psd_layers(const PictureFile& file) {
  return Parser(file).parse();
}

}  // namespace layerpipe::media
