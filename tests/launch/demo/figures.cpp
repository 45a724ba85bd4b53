#include "tests/launch/demo/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/files.h"
#include "media/composite.h"
#include "media/picture_reader.h"
#include "media/png_reader.h"
#include "media/resize.h"
#include "tests/launch/program.h"
#include "tests/support/test_data.h"

namespace layerpipe::testing {
namespace {

using media::Image;
using Json = nlohmann::ordered_json;

constexpr int kLayers = 4;
constexpr int kAlpha = 3;

// Two right programs in fp32, on two kinds of processor, sum up in another order. With this model that moved
// at most 0.003 % of a layer's values, each by one level (AVX-512, AVX2 and SSE4 compared;
// docs/testing.md). The limit is that of the parity tests: 0.1 %, by one level.
constexpr double kMovedShare = 0.001;
constexpr int kMovedLevels = 1;
constexpr double kPrinted = 0.00005;  // half of the last digit in the file

std::string layer_file(int index) {
  return fmt::format("layer_{}.png", index);
}

std::vector<Image> true_layers(const std::string& name) {
  std::vector<Image> layers;
  for (int i = 0; i < kLayers; ++i)
    layers.push_back(media::read_png(test_data() / "demo" / name / layer_file(i)));
  return layers;
}

// [begin, end) of the bytes of one channel, with a step of 4, summed up by `term(byte index)`.
template <typename Term>
double sum_of_channel(const Image& image, int channel, Term&& term) {
  double sum = 0;
  for (std::size_t i = static_cast<std::size_t>(channel); i < image.pixels.size(); i += 4) sum += term(i);
  return sum;
}

double mean_of_channel(const Image& image, int channel) {
  return sum_of_channel(image, channel, [&](std::size_t i) { return image.pixels[i]; }) * 4 /
         static_cast<double>(image.pixels.size());
}

// Of a colour, as far as it is seen.
double mean_of_color(const Image& image, int channel) {
  const auto seen = [&](std::size_t i) {
    const std::size_t alpha = i - static_cast<std::size_t>(channel) + kAlpha;
    return image.pixels[i] * image.pixels[alpha] / 255.0;
  };
  return sum_of_channel(image, channel, seen) * 4 / static_cast<double>(image.pixels.size());
}

double psnr(const Image& a, const Image& b) {
  double squares = 0;
  for (int c = 0; c < kAlpha; ++c)
    squares += sum_of_channel(a, c, [&](std::size_t i) { return std::pow(a.pixels[i] - b.pixels[i], 2); });
  return 10 * std::log10(255.0 * 255.0 * 0.75 * static_cast<double>(a.pixels.size()) / squares);
}

double iou(const Image& made, const Image& truth) {
  const auto sum = [&](const auto& choose) {
    return sum_of_channel(made, kAlpha,
                          [&](std::size_t i) { return choose(made.pixels[i], truth.pixels[i]); });
  };
  return sum([](int a, int b) { return std::min(a, b); }) / sum([](int a, int b) { return std::max(a, b); });
}

double color_error(const Image& made, const Image& truth) {
  double error = 0;
  for (std::size_t i = 0; i < truth.pixels.size(); i += 4) {
    for (std::size_t c = i; c < i + kAlpha; ++c)
      error += std::abs(made.pixels[c] - truth.pixels[c]) / 255.0 * truth.pixels[i + kAlpha];
  }
  return error / kAlpha / (mean_of_channel(truth, kAlpha) * static_cast<double>(truth.pixels.size()) / 4);
}

std::vector<std::string> alpha_cells(const Image& image) {
  std::vector<std::string> rows;
  const int width = image.width / kCells;
  const int height = image.height / kCells;
  for (int row = 0; row < kCells; ++row) {
    std::string& text = rows.emplace_back();
    for (int column = 0; column < kCells; ++column) {
      double sum = 0;
      for (int y = row * height; y < (row + 1) * height; ++y) {
        for (int x = column * width; x < (column + 1) * width; ++x) sum += image.row(y)[4 * x + kAlpha];
      }
      text += fmt::format("{:02x}", std::lround(sum / (width * height)));
    }
  }
  return rows;
}

int cell(const LayerFigures& layer, std::size_t row, std::size_t column) {
  return std::stoi(layer.alpha.at(row).substr(2 * column, 2), nullptr, 16);
}

double rounded(double value) {
  return std::round(value * 1e4) / 1e4;
}

}  // namespace

std::vector<std::string> demo_picture_names() {
  return {"moonlight", "orchard", "weather"};
}

std::vector<Image> take_apart(const std::string& name, const std::vector<std::string>& more_options) {
  const TemporaryFolder folder;
  const auto picture = demo_picture(name);
  std::string prompt = common::read_text_file(std::filesystem::path(picture).replace_extension(".txt"));
  prompt.pop_back();  // the end of the line
  std::vector<std::string> arguments{
      "decompose", "--model", demo_model(), "--image",         picture, "--prompt", prompt,  "--resolution",
      "256",       "--steps", "8",          "--layers",        "4",     "--no-cfg", "--out", folder.path(),
      "--device",  "cpu",     "--quiet",    "--any-resolution"};
  arguments.insert(arguments.end(), more_options.begin(), more_options.end());
  const Outcome outcome = run_program(arguments);
  if (outcome.exit_code != 0) throw std::runtime_error(outcome.err);
  std::vector<Image> layers;
  for (int i = 0; i < kLayers; ++i) layers.push_back(media::read_png(folder.path() / layer_file(i)));
  return layers;
}

Quality judge(const std::string& name, const std::vector<Image>& layers) {
  const std::vector<Image> truth = true_layers(name);
  const Image picture = media::resize_lanczos(media::read_picture(demo_picture(name)).image,
                                              truth.front().width, truth.front().height);
  Quality quality{.psnr = psnr(media::composite(layers), picture)};
  for (int i = 0; i < kLayers; ++i) {
    const auto index = static_cast<std::size_t>(i);
    quality.iou += iou(layers.at(index), truth[index]) / kLayers;
    quality.color_error += color_error(layers.at(index), truth[index]) / kLayers;
  }
  return quality;
}

PictureFigures figures_of(const std::string& name, const std::vector<Image>& layers) {
  PictureFigures figures{.name = name, .quality = judge(name, layers), .layers = {}};
  for (const Image& layer : layers) {
    LayerFigures& of_layer = figures.layers.emplace_back();
    for (int c = 0; c < kAlpha; ++c) of_layer.mean[static_cast<std::size_t>(c)] = mean_of_color(layer, c);
    of_layer.mean[kAlpha] = mean_of_channel(layer, kAlpha);
    of_layer.alpha = alpha_cells(layer);
  }
  return figures;
}

std::vector<std::string> differences(const PictureFigures& made, const PictureFigures& expected) {
  std::vector<std::string> found;
  const auto compare = [&](const std::string& what, double value, double wanted, double tolerance) {
    if (std::abs(value - wanted) <= tolerance) return;
    found.push_back(
        fmt::format("{}, {}: {:.5f}, not {:.5f} ± {:.5f}", made.name, what, value, wanted, tolerance));
  };
  if (made.layers.size() != expected.layers.size()) return {made.name + ": another number of layers"};
  constexpr double kMovedMean = kMovedShare * kMovedLevels;
  double least_alpha = 255;
  for (std::size_t i = 0; i < made.layers.size(); ++i) {
    const std::string layer = fmt::format("layer {}", i);
    // What is seen of a colour moves with the colour and with alpha.
    for (std::size_t c = 0; c < 4; ++c)
      compare(fmt::format("{}, mean of channel {}", layer, c), made.layers[i].mean[c],
              expected.layers[i].mean[c], (c < kAlpha ? 2 : 1) * kMovedMean + kPrinted);
    for (std::size_t row = 0; row < kCells; ++row) {
      for (std::size_t column = 0; column < kCells; ++column)
        compare(fmt::format("{}, alpha of cell {}, {}", layer, row, column),
                cell(made.layers[i], row, column), cell(expected.layers[i], row, column), kMovedLevels);
    }
    least_alpha = std::min(least_alpha, expected.layers[i].mean[kAlpha]);
  }
  // In each layer all four channels may have moved; so the composite may have, in as many places, and the
  // root of its mean square error by as much as the root of the mean square of that (triangle inequality).
  const double error = 255 * std::pow(10, -expected.quality.psnr / 20);  // levels
  const double moved = std::sqrt(4 * static_cast<double>(made.layers.size()) * kMovedShare) * kMovedLevels;
  compare("PSNR", made.quality.psnr, expected.quality.psnr, -20 * std::log10(1 - moved / error) + kPrinted);
  // Both sums of alphas may have moved, and weigh most where there is least alpha.
  const double weighed = kMovedMean / least_alpha;
  compare("IoU", made.quality.iou, expected.quality.iou, 2 * weighed + kPrinted);
  compare("colour error", made.quality.color_error, expected.quality.color_error, weighed + kPrinted);
  return found;
}

std::filesystem::path figures_file() {
  return test_data() / "demo" / "figures.json";
}

std::vector<PictureFigures> read_figures() {
  const Json json = Json::parse(common::read_text_file(figures_file()));
  std::vector<PictureFigures> all;
  for (const auto& [name, of_picture] : json.at("pictures").items()) {
    PictureFigures& figures = all.emplace_back();
    figures.name = name;
    figures.quality = {of_picture.at("psnr"), of_picture.at("iou"), of_picture.at("color_error")};
    for (const Json& layer : of_picture.at("layers"))
      figures.layers.push_back({layer.at("mean"), layer.at("alpha")});
  }
  return all;
}

void write_figures(const std::vector<PictureFigures>& all) {
  Json json{{"made_by", "build/tests/write_demo_figures"}};
  for (const PictureFigures& figures : all) {
    Json& of_picture = json["pictures"][figures.name];
    of_picture["psnr"] = rounded(figures.quality.psnr);
    of_picture["iou"] = rounded(figures.quality.iou);
    of_picture["color_error"] = rounded(figures.quality.color_error);
    for (const LayerFigures& layer : figures.layers) {
      Json mean;
      for (const double value : layer.mean) mean.push_back(rounded(value));
      of_picture["layers"].push_back({{"mean", mean}, {"alpha", layer.alpha}});
    }
  }
  common::write_file_atomically(figures_file(), json.dump(1) + "\n");
}

}  // namespace layerpipe::testing
