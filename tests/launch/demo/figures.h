// What the demo model makes of the demo's pictures, in few numbers: how good it is, and enough of it to see
// that it is still the same.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "media/image.h"

namespace layerpipe::testing {

// Against the picture and its true layers (tests/data/demo, tools/make_demo_fixtures.py), layer by layer: no
// order but the right one is right.
struct Quality {
  // The PSNR of the composite against the picture, in dB.
  double psnr = 0;
  // Sum of the smaller alphas over sum of the larger ones, mean over the layers.
  double iou = 0;
  // Mean difference of colours, 0 … 1, weighted by the true alpha, mean over the layers.
  double color_error = 0;
};

inline constexpr int kCells = 16;  // a side

struct LayerFigures {
  std::array<double, 4> mean{};    // of red, green, blue, alpha, in levels 0 … 255
  std::vector<std::string> alpha;  // kCells rows of as many cells: the mean level of each in two hex digits
};

struct PictureFigures {
  std::string name;
  Quality quality;
  std::vector<LayerFigures> layers;
};

// The pictures of the demo by name.
std::vector<std::string> demo_picture_names();

// Takes a picture of the demo apart with the program, as the demo does but in fewer steps, on the CPU. The
// layers from back to front. Throws std::runtime_error when the program fails.
std::vector<media::Image> take_apart(const std::string& name,
                                     const std::vector<std::string>& more_options = {});

Quality judge(const std::string& name, const std::vector<media::Image>& layers);
PictureFigures figures_of(const std::string& name, const std::vector<media::Image>& layers);

// Where two runs of the same program on two machines cannot differ so much: a line for each. Empty when the
// figures are the same.
std::vector<std::string> differences(const PictureFigures& made, const PictureFigures& expected);

// tests/data/demo/figures.json.
std::filesystem::path figures_file();
std::vector<PictureFigures> read_figures();
void write_figures(const std::vector<PictureFigures>& figures);

}  // namespace layerpipe::testing
