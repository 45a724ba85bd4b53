// Any bytes as an AVIF picture.
#include "media/avif_reader.h"
#include "tests/fuzz/picture_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerpipe::testing::fuzz_picture([](const auto& file) { return layerpipe::media::read_avif(file); }, data,
                                   size);
  return 0;
}
