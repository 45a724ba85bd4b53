#include "results/formats.h"

#include <algorithm>

#include "media/psd_writer.h"
#include "media/zip_writer.h"

namespace layerpipe::results {

const char* to_string(Format format) {
  switch (format) {
    case Format::kPng:
      return "png";
    case Format::kPsd:
      return "psd";
    case Format::kPptx:
      return "pptx";
    case Format::kOra:
      return "ora";
    case Format::kZip:
      return "zip";
    case Format::kHtml:
      return "html";
  }
  return "";
}

std::string document_name(Format format) {
  return std::string("layers.") + to_string(format);
}

bool contains(std::span<const Format> formats, Format format) {
  return std::find(formats.begin(), formats.end(), format) != formats.end();
}

bool has_documents(std::span<const Format> formats) {
  return std::any_of(formats.begin(), formats.end(), [](Format format) { return format != Format::kPng; });
}

std::string list_of(std::span<const Format> formats) {
  std::string list;
  for (std::size_t i = 0; i < formats.size(); ++i) {
    if (i > 0) list += i + 1 < formats.size() ? ", " : " or ";
    list += to_string(formats[i]);
  }
  return list;
}

void check_sizes(std::span<const Format> formats, const common::Size& layer_size) {
  if (contains(formats, Format::kPsd))
    media::check_psd_size(static_cast<int>(layer_size.width), static_cast<int>(layer_size.height));
}

void check_built(std::span<const Format> formats) {
  for (const Format format : {Format::kPptx, Format::kOra, Format::kZip}) {
    if (contains(formats, format))
      media::check_zip_is_built(std::string("write --format ") + to_string(format));
  }
}

}  // namespace layerpipe::results
