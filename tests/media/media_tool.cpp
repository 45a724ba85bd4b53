// What pillow_parity.py runs: reads a picture, resizes it, writes the pixels as they are or as PNG.
//   media_tool IN OUT.rgba|OUT.png [WIDTH HEIGHT]
// Prints the size of the result.
//
// What psd_parity.py runs: writes layers, from the back to the front, as a document or put together.
//   media_tool psd OUT.psd NAME LAYER.png [NAME LAYER.png ...]
//   media_tool composite OUT.png LAYER.png [LAYER.png ...]
//
// What viewer_browser.py runs: writes a document, whose layers come from the back to the front.
//   media_tool html OUT.html { layer NAME FILE | original FILE | title TEXT | generator TEXT | parameter NAME
//   TEXT }
#include <cstdlib>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "media/composite.h"
#include "media/document.h"
#include "media/html_writer.h"
#include "media/picture_reader.h"
#include "media/png_writer.h"
#include "media/psd_writer.h"
#include "media/resize.h"

namespace {

using namespace layerpipe;

int write_psd_of(const char* out, std::span<char*> names_and_layers) {
  media::Document document;
  const media::Image back = media::read_picture(names_and_layers[1]).image;
  document.width = back.width;
  document.height = back.height;
  document.generator = "media_tool";
  for (std::size_t i = 0; i + 1 < names_and_layers.size(); i += 2) {
    const std::filesystem::path file = names_and_layers[i + 1];
    document.layers.push_back({names_and_layers[i], [file] { return media::read_picture(file).image; }});
  }
  media::write_psd(out, document);
  return 0;
}

int write_composite_of(const char* out, std::span<char*> layers) {
  std::vector<media::Image> images;
  for (const char* layer : layers) images.push_back(media::read_picture(layer).image);
  media::write_png(out, media::composite(images));
  return 0;
}

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

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  const std::string_view command = argc > 1 ? argv[1] : "";
  try {
    if (command == "psd" && argc >= 5) return write_psd_of(argv[2], arguments.subspan(3));
    if (command == "composite" && argc >= 4) return write_composite_of(argv[2], arguments.subspan(3));
    if (command == "html" && argc >= 4) {
      media::write_html(argv[2], document_of(arguments.subspan(3)));
      return 0;
    }
    if (argc != 3 && argc != 5) {
      std::cerr << "usage: see the head of media_tool.cpp\n";
      return static_cast<int>(common::ExitCode::kInput);
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
