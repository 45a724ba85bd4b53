// libFuzzer's mutations of a PNG with the checksums of its chunks put right again: otherwise libpng would
// refuse nearly all of them for their checksums alone.
#include <zlib.h>

#include <cstddef>
#include <cstdint>

// The names of the functions are libFuzzer's.

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kNameBytes = 4;

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

void repair_checksums(std::uint8_t* data, std::size_t size) {
  std::size_t place = kSignatureBytes;
  while (place + 4 + kNameBytes + 4 <= size) {
    const std::size_t length = big_endian(data + place);
    const std::size_t covered = kNameBytes + length;
    if (length > size || place + 4 + covered + 4 > size) return;
    const auto checksum = static_cast<std::uint32_t>(crc32(0, data + place + 4, static_cast<uInt>(covered)));
    std::uint8_t* stored = data + place + 4 + covered;
    for (int i = 0; i < 4; ++i) stored[i] = static_cast<std::uint8_t>(checksum >> (24 - 8 * i));
    place += 4 + covered + 4;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) repair_checksums(data, mutated);
  return mutated;
}
