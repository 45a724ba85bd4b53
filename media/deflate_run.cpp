#include "media/deflate_run.h"

#include <zlib.h>

#include <algorithm>
#include <new>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

class Deflater {
 public:
  // `strategy` is one of zlib's.
  explicit Deflater(int strategy) {
    constexpr int kRaw = -15;  // deflate without a header around it, in a window of 2^15 bytes
    constexpr int kMemory = 8;
    if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRaw, kMemory, strategy) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::vector<std::byte> run(std::span<const std::byte> bytes) {
    constexpr std::size_t kEmptyBlock = 16;  // at least as many bytes as the flush adds
    std::vector<std::byte> run(deflateBound(&stream_, bytes.size()) + kEmptyBlock);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));  // zlib reads it only
    stream_.avail_in = static_cast<uInt>(bytes.size());
    stream_.next_out = reinterpret_cast<Bytef*>(run.data());
    stream_.avail_out = static_cast<uInt>(run.size());
    const int result = deflate(&stream_, Z_SYNC_FLUSH);
    common::ensure(result == Z_OK && stream_.avail_in == 0 && stream_.avail_out > 0, "zlib gave up");
    run.resize(run.size() - stream_.avail_out);
    return run;
  }

 private:
  z_stream stream_{};
};

// The middle of a run, from which its strategy is chosen.
std::span<const std::byte> sample_of(std::span<const std::byte> bytes) {
  constexpr std::size_t kLeastBytes = 32 << 10;
  const std::size_t count = std::min(bytes.size(), std::max(bytes.size() / 8, kLeastBytes));
  return bytes.subspan((bytes.size() - count) / 2, count);
}

int strategy_for(std::span<const std::byte> bytes) {
  const std::span<const std::byte> sample = sample_of(bytes);
  const std::size_t searched = Deflater(Z_FILTERED).run(sample).size();  // what libpng does
  const std::size_t counted = Deflater(Z_RLE).run(sample).size();
  return counted <= searched + searched / 100 ? Z_RLE : Z_FILTERED;
}

}  // namespace

std::vector<std::byte> deflate_run(std::span<const std::byte> bytes) {
  common::ensure(!bytes.empty() && bytes.size() <= kMaxRunBytes, "a run to be deflated has no valid size");
  return Deflater(strategy_for(bytes)).run(bytes);
}

}  // namespace layerpipe::media
