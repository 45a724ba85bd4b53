#include "tests/media/document_commands.h"

#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/errors.h"
#include "media/bleed.h"
#include "media/html_writer.h"
#include "media/ora_reader.h"
#include "media/ora_writer.h"
#include "media/picture_reader.h"
#include "media/png_writer.h"
#include "media/pptx_writer.h"
#include "media/psd_reader.h"
#include "media/psd_writer.h"

namespace layerpipe::media {
namespace {

// Hands out words one after another.
class Words {
 public:
  explicit Words(std::span<char*> words) : left_(words) {}
  bool empty() const { return left_.empty(); }
  std::string next() {
    if (left_.empty()) throw common::InputError("a word is missing at the end");
    const std::string word = left_.front();
    left_ = left_.subspan(1);
    return word;
  }

 private:
  std::span<char*> left_;
};

Document read_document(Words& words) {
  Document document;
  while (!words.empty()) {
    const std::string kind = words.next();
    if (kind == "layer") {
      const std::string name = words.next();
      document.layers.push_back({name, [file = words.next()] { return read_picture(file).image; }});
    } else if (kind == "group") {
      const std::string name = words.next();
      const std::size_t begin = std::stoul(words.next());
      document.groups.push_back({name, begin, std::stoul(words.next())});
    } else if (kind == "original") {
      document.original = [file = words.next()] { return read_picture(file).image; };
    } else if (kind == "title") {
      document.title = words.next();
    } else if (kind == "generator") {
      document.generator = words.next();
    } else if (kind == "parameter") {
      const std::string name = words.next();
      document.parameters.emplace_back(name, words.next());
    } else {
      throw common::InputError("unknown word " + kind);
    }
  }
  if (document.layers.empty()) throw common::InputError("no layer");
  const Image first = document.layers.front().read();
  document.width = first.width;
  document.height = first.height;
  return document;
}

void unpack(const Document& document, const std::filesystem::path& folder) {
  std::cout << document.width << ' ' << document.height << '\n';
  for (std::size_t i = 0; i < document.layers.size(); ++i) {
    write_png(folder / (std::to_string(i) + ".png"), document.layers[i].read());
    std::cout << document.layers[i].name << '\n';
  }
}

void bleed(Words& words) {
  Image image = read_picture(words.next()).image;
  bleed_colors(image);
  write_png(words.next(), image);
}

}  // namespace

std::optional<int> run_document_command(std::span<char*> arguments) {
  Words words(arguments);
  const std::string command = words.empty() ? "" : words.next();
  const std::map<std::string, void (*)(const std::filesystem::path&, const Document&)> writers{
      {"ora", write_ora}, {"pptx", write_pptx}, {"psd", write_psd}, {"html", write_html}};
  if (const auto writer = writers.find(command); writer != writers.end()) {
    const std::string out = words.next();
    writer->second(out, read_document(words));
  } else if (command == "composite") {
    const std::string out = words.next();
    write_png(out, composite(read_document(words)));
  } else if (command == "read-ora") {
    const Document document = read_ora(std::filesystem::path(words.next()));
    unpack(document, words.next());
  } else if (command == "read-psd") {
    const PsdContent content = read_psd(std::filesystem::path(words.next()));
    unpack(content.document, words.next());
    for (const std::string& remark : content.remarks) std::cout << "remark: " << remark << '\n';
  } else if (command == "bleed") {
    bleed(words);
  } else {
    return {};
  }
  return 0;
}

}  // namespace layerpipe::media
