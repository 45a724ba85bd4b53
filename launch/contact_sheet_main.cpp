// What launch/demo.sh shows its results with:
//   contact_sheet SHEET.png PICTURE FOLDER [PICTURE FOLDER ...]
// A row for each picture: the picture, the layers and the composite in the folder that layerpipe made of it.
// A program of its own, and not a command of layerpipe, whose command line other programs rely on; without
// LibTorch, so that it starts at once (docs/decisions.md).
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/visible.h"
#include "media/contact_sheet.h"
#include "media/picture_reader.h"
#include "media/png_reader.h"
#include "media/png_writer.h"

namespace {

using namespace layerpipe;

media::ContactRow read_row(const std::filesystem::path& picture, const std::filesystem::path& folder) {
  media::ContactRow row;
  row.picture = media::read_picture(picture).image;
  for (int i = 0; i == 0 || std::filesystem::exists(folder / ("layer_" + std::to_string(i) + ".png")); ++i)
    row.layers.push_back(media::read_png(folder / ("layer_" + std::to_string(i) + ".png")));
  row.composite = media::read_png(folder / "composite.png");
  return row;
}

void run(const std::vector<std::filesystem::path>& arguments) {
  if (arguments.size() < 3 || arguments.size() % 2 == 0) {
    throw common::InputError("wrong number of arguments",
                             "usage: contact_sheet SHEET.png PICTURE FOLDER [PICTURE FOLDER ...]");
  }
  std::vector<media::ContactRow> rows;
  for (std::size_t i = 1; i < arguments.size(); i += 2)
    rows.push_back(read_row(arguments[i], arguments[i + 1]));
  media::write_png(arguments[0], media::contact_sheet(rows), {{"Software", "layerpipe " LAYERPIPE_VERSION}});
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv + 1, argv + argc});
    return 0;
  } catch (const common::Error& error) {
    std::cerr << "contact_sheet: " << common::visible(error.what()) << '\n';
    if (!error.remedy().empty()) std::cerr << "  " << error.remedy() << '\n';
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    std::cerr << "contact_sheet: " << common::visible(error.what()) << '\n';
    return static_cast<int>(common::ExitCode::kInternal);
  }
}
