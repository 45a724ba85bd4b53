// Writes tests/data/demo/figures.json: what the tests expect of the model in demo/model. To be run when that
// model or the demo's pictures are made anew.
#include <iostream>

#include "tests/launch/demo/figures.h"

int main() {
  using namespace layerpipe::testing;
  try {
    std::vector<PictureFigures> all;
    for (const std::string& name : demo_picture_names()) {
      all.push_back(figures_of(name, take_apart(name, {"--dtype", "fp32"})));
      const Quality& quality = all.back().quality;
      std::cout << name << ": PSNR " << quality.psnr << " dB, IoU " << quality.iou << ", colour error "
                << quality.color_error << '\n';
    }
    write_figures(all);
    std::cout << "written: " << figures_file().string() << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
