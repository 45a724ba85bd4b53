// libFuzzer's mutations of a ZIP archive with the checksums of its entries put right again: otherwise libzip
// would refuse nearly all of them for their checksums alone.
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// The names of the functions are libFuzzer's.

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr std::size_t kCentralBytes = 46;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kMostUnpacked = 1 << 20;

std::size_t little_endian(const std::uint8_t* bytes, int count) {
  std::size_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

void store(std::uint8_t* to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// Nothing when it cannot be unpacked.
std::optional<std::uint32_t> checksum_of_deflated(std::span<std::uint8_t> packed) {
  std::vector<std::uint8_t> content(kMostUnpacked);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return {};
  stream.next_in = packed.data();
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = content.data();
  stream.avail_out = static_cast<uInt>(content.size());
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END) return {};
  return static_cast<std::uint32_t>(crc32(0, content.data(), static_cast<uInt>(stream.total_out)));
}

// `central`: the offset of an entry's record in the central directory.
void repair_entry(std::span<std::uint8_t> data, std::size_t central) {
  std::uint8_t* record = data.data() + central;
  const std::size_t method = little_endian(record + 10, 2);
  const std::size_t packed_bytes = little_endian(record + 20, 4);
  const std::size_t local = little_endian(record + 42, 4);
  if (local > data.size() || data.size() - local < kLocalBytes) return;
  const std::size_t start = local + kLocalBytes + little_endian(data.data() + local + 26, 2) +
                            little_endian(data.data() + local + 28, 2);
  if (start > data.size() || data.size() - start < packed_bytes) return;
  const std::span<std::uint8_t> packed = data.subspan(start, packed_bytes);
  std::optional<std::uint32_t> checksum;
  if (method == 0)
    checksum = static_cast<std::uint32_t>(crc32(0, packed.data(), static_cast<uInt>(packed.size())));
  if (method == 8) checksum = checksum_of_deflated(packed);
  if (!checksum) return;
  store(record + 16, *checksum);
  store(data.data() + local + 14, *checksum);
}

void repair_checksums(std::span<std::uint8_t> data) {
  constexpr std::uint8_t kSignature[] = {'P', 'K', 1, 2};
  auto place = data.begin();
  while ((place = std::search(place, data.end(), std::begin(kSignature), std::end(kSignature))) !=
         data.end()) {
    const auto central = static_cast<std::size_t>(place - data.begin());
    if (data.size() - central < kCentralBytes) return;
    repair_entry(data, central);
    ++place;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) repair_checksums({data, mutated});
  return mutated;
}
