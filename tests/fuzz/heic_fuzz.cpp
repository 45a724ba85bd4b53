// Any bytes as a HEIC picture.
#include "media/heic_reader.h"
#include "tests/fuzz/picture_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerpipe::testing::fuzz_picture([](const auto& file) { return layerpipe::media::read_heic(file); }, data,
                                   size);
  return 0;
}
