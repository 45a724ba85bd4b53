// What the Python tests of media/ run.
//   media_tool IN OUT.rgba|OUT.png [WIDTH HEIGHT]
// reads a picture, resizes it, writes the pixels as they are or as PNG, and prints the size of the result.
//   media_tool html OUT.html { layer NAME FILE | original FILE | title TEXT | generator TEXT | parameter NAME
//   TEXT }
// writes a document, whose layers come from the back to the front.
#include <cstdlib>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <string_view>

#include "common/errors.h"
#include "common/files.h"
#include "media/document.h"
#include "media/html_writer.h"
#include "media/picture_reader.h"
#include "media/png_writer.h"
#include "media/resize.h"

namespace layerpipe {
namespace {

std::function<media::Image()> reader_of(const std::string& file) {
  return [file] { return media::read_picture(file).image; };
}

// The document that the words after the name of the file describe.
media::Document document_of(std::span<char*> words) {
  media::Document document;
  const auto next = [&words] {
    if (words.empty()) throw common::InputError("a word is missing at the end");
    const std::string word = words.front();
    words = words.subspan(1);
    return word;
  };
  while (!words.empty()) {
    const std::string kind = next();
    if (kind == "layer") {
      const std::string name = next();
      document.layers.push_back({name, reader_of(next())});
    } else if (kind == "original") {
      document.original = reader_of(next());
    } else if (kind == "title") {
      document.title = next();
    } else if (kind == "generator") {
      document.generator = next();
    } else if (kind == "parameter") {
      const std::string name = next();
      document.parameters.emplace_back(name, next());
    } else {
      throw common::InputError("unknown word " + kind);
    }
  }
  if (document.layers.empty()) throw common::InputError("no layer");
  const media::Image first = document.layers[0].read();
  document.width = first.width;
  document.height = first.height;
  return document;
}

}  // namespace
}  // namespace layerpipe

int main(int argc, char** argv) {
  using namespace layerpipe;
  const bool html = argc >= 3 && std::string_view(argv[1]) == "html";
  if (!html && argc != 3 && argc != 5) {
    std::cerr << "usage: media_tool IN OUT.rgba|OUT.png [WIDTH HEIGHT]\n";
    return static_cast<int>(common::ExitCode::kInput);
  }
  try {
    if (html) {
      media::write_html(argv[2], document_of(std::span(argv, static_cast<std::size_t>(argc)).subspan(3)));
      return 0;
    }
    media::Image image = media::read_picture(argv[1]).image;
    if (argc == 5) image = media::resize_lanczos(image, std::atoi(argv[3]), std::atoi(argv[4]));
    const std::filesystem::path out = argv[2];
    if (out.extension() == ".png") {
      media::write_png(out, image, {{"Comment", "plain"}, {"Title", "Übermut"}});
    } else {
      common::write_file_atomically(out, std::as_bytes(std::span(image.pixels)));
    }
    std::cout << image.width << ' ' << image.height << '\n';
    return 0;
  } catch (const common::Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.exit_code());
  }
}
