// What pillow_parity.py runs: reads a picture, resizes it, writes the pixels as they are or as PNG.
//   media_tool IN OUT.rgba|OUT.png [WIDTH HEIGHT]
// Prints the size of the result. What else it does: document_commands.h.
#include <cstdlib>
#include <iostream>
#include <span>

#include "common/errors.h"
#include "common/files.h"
#include "media/picture_reader.h"
#include "media/png_writer.h"
#include "media/resize.h"
#include "tests/media/document_commands.h"

int main(int argc, char** argv) {
  using namespace layerpipe;
  try {
    if (const auto done = media::run_document_command(std::span(argv + 1, argv + argc))) return *done;
    if (argc != 3 && argc != 5)
      throw common::InputError("usage: media_tool IN OUT.rgba|OUT.png [WIDTH HEIGHT]");
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
