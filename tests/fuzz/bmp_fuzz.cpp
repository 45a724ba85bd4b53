// Any bytes as a BMP picture.
#include "media/bmp_reader.h"
#include "tests/fuzz/picture_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerpipe::testing::fuzz_picture([](const auto& file) { return layerpipe::media::read_bmp(file); }, data,
                                   size);
  return 0;
}
