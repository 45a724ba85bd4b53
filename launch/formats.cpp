#include "launch/formats.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/errors.h"
#include "launch/option_values.h"
#include "media/zip_writer.h"

namespace layerpipe::launch {

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

void read_formats(const OptionValues& values, const std::string& option, std::span<const Format> known,
                  std::vector<Format>& formats) {
  if (!values.given(option)) return;
  const std::string cure = fmt::format("Take {}, or several with commas between them.", list_of(known));
  std::string text;
  values.read_text(option, text);
  std::vector<Format> asked_for;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string word = text.substr(start, end - start);
    start = end + 1;
    if (word.empty()) {
      throw common::InputError(
          text.empty() ? option + " is empty" : fmt::format("{} {} has a comma too many", option, text),
          cure);
    }
    const auto format =
        std::find_if(known.begin(), known.end(), [&](Format one) { return word == to_string(one); });
    if (format == known.end())
      throw common::InputError(fmt::format("{} {} is not known", option, word), cure);
    if (contains(asked_for, *format)) {
      throw common::InputError(fmt::format("{} names {} twice", option, word), cure);
    }
    asked_for.push_back(*format);
  }
  std::sort(asked_for.begin(), asked_for.end());
  formats = std::move(asked_for);
}

void check_built(std::span<const Format> formats) {
  for (const Format format : {Format::kPptx, Format::kOra, Format::kZip}) {
    if (contains(formats, format))
      media::check_zip_is_built(std::string("write --format ") + to_string(format));
  }
}

}  // namespace layerpipe::launch
