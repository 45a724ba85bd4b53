// Writing PNG pictures, against libpng as it is by itself, in the same run:
//
//   build/bench_pictures              12000 × 9000 pixels, as many threads as there are cores
//   build/bench_pictures 4000 3000 1  another size, by one thread
//
// Of three kinds of picture: "smooth" as a network's layer that was enlarged, "grain" the same with the noise
// of a camera's sensor, "noise" without anything that could be packed. Every PNG is read back and compared
// before a figure counts. Seconds are of one picture, by the clock and of all processors together; of three
// rounds the least, the middle and the most. Each round times both writers, one right after the other, so
// that what else the machine does meets both.
#include <png.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "media/png_reader.h"
#include "media/png_writer.h"

namespace {

using layerpipe::media::Image;
using Bytes = std::vector<std::byte>;

constexpr int kRounds = 3;

// Noise of about `sigma` levels on slopes, under an alpha that fades out to the right.
Image picture(int width, int height, double sigma) {
  Image image = layerpipe::media::make_image(width, height);
  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, static_cast<float>(sigma));
  for (int y = 0; y < height; ++y) {
    std::uint8_t* pixel = image.row(y);
    for (int x = 0; x < width; ++x, pixel += 4) {
      for (int c = 0; c < 3; ++c) {
        const double slope = 127 + 90 * std::sin((x + 2 * y) * (c + 1) / 1500.0) + 30 * std::sin(y / 170.0);
        const double value = sigma > 0 ? slope + noise(random) : slope;
        pixel[c] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
      }
      pixel[3] = static_cast<std::uint8_t>(std::clamp((width - x) * 1024 / width, 0, 255));
    }
  }
  return image;
}

void append(png_structp png, png_bytep from, std::size_t count) {
  auto* content = static_cast<Bytes*>(png_get_io_ptr(png));
  const auto bytes = std::as_bytes(std::span(from, count));
  content->insert(content->end(), bytes.begin(), bytes.end());
}

// By libpng at its defaults; it ends the program when it fails.
Bytes by_libpng(const Image& image) {
  Bytes content;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &content, append, [](png_structp) {});
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               PNG_COLOR_TYPE_RGB_ALPHA, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.row(y));
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return content;
}

struct Times {
  std::vector<double> clock;
  std::vector<double> processors;

  Bytes time(const std::function<Bytes()>& write) {
    const auto begin = std::chrono::steady_clock::now();
    const std::clock_t processors_begin = std::clock();
    Bytes content = write();
    clock.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    processors.push_back(static_cast<double>(std::clock() - processors_begin) / CLOCKS_PER_SEC);
    return content;
  }
  static double middle(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  void print(const char* name, std::size_t bytes) const {
    const auto line = [](std::vector<double> values) {
      std::sort(values.begin(), values.end());
      return std::array{values.front(), values[values.size() / 2], values.back()};
    };
    const auto seconds = line(clock);
    const auto cpu = line(processors);
    std::printf("  %-9s %11zu bytes, seconds %.2f %.2f %.2f, of processors %.2f %.2f %.2f\n", name, bytes,
                seconds[0], seconds[1], seconds[2], cpu[0], cpu[1], cpu[2]);
  }
};

void check(const Bytes& content, const Image& image) {
  if (layerpipe::media::read_png({.bytes = content, .name = "the PNG"}).image == image) return;
  std::fprintf(stderr, "a PNG is not its picture\n");
  std::exit(1);
}

void measure(const char* kind, const Image& image, int threads) {
  Times ours;
  Times theirs;
  std::size_t bytes = 0;
  std::size_t their_bytes = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Bytes content =
        ours.time([&] { return layerpipe::media::encode_png(image, {}, {.threads = threads, .moved = {}}); });
    const Bytes other = theirs.time([&] { return by_libpng(image); });
    if (round == 0) check(content, image);
    bytes = content.size();
    their_bytes = other.size();
  }
  std::printf("%s: %.3f of the bytes, %.3f of the time, %.3f of the processors'\n", kind,
              static_cast<double>(bytes) / static_cast<double>(their_bytes),
              Times::middle(ours.clock) / Times::middle(theirs.clock),
              Times::middle(ours.processors) / Times::middle(theirs.processors));
  ours.print("layerpipe", bytes);
  theirs.print("libpng", their_bytes);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 1 && argc != 3 && argc != 4) {
    std::fprintf(stderr, "Usage: bench_pictures [WIDTH HEIGHT [THREADS]]\n");
    return 2;
  }
  const int width = argc > 1 ? std::atoi(argv[1]) : 12000;
  const int height = argc > 1 ? std::atoi(argv[2]) : 9000;
  const int threads = argc > 3 ? std::atoi(argv[3]) : static_cast<int>(std::thread::hardware_concurrency());
  if (width < 1 || height < 1 || width > layerpipe::media::kMaxSide || height > layerpipe::media::kMaxSide) {
    std::fprintf(stderr, "bench_pictures: sides are 1 to %d pixels\n", layerpipe::media::kMaxSide);
    return 2;
  }
  std::printf("%d x %d pixels, %d threads\n", width, height, threads);
  measure("smooth", picture(width, height, 0), threads);
  measure("grain", picture(width, height, 2), threads);
  measure("noise", picture(width, height, 60), threads);
}
