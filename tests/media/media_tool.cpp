// What pillow_parity.py runs: reads a picture, resizes it, writes the pixels as they are or as PNG.
//   media_tool IN OUT.rgba|OUT.png [WIDTH HEIGHT]
// Prints the size of the result.
#include <cstdlib>
#include <iostream>
#include <span>

#include "common/errors.h"
#include "common/files.h"
#include "media/picture_reader.h"
#include "media/png_writer.h"
#include "media/resize.h"

int main(int argc, char** argv) {
  using namespace layerpipe;
  if (argc != 3 && argc != 5) {
    std::cerr << "usage: media_tool IN OUT.rgba|OUT.png [WIDTH HEIGHT]\n";
    return static_cast<int>(common::ExitCode::kInput);
  }
  try {
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
