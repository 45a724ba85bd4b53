// The parts of a PNG picture that are made side by side: filtered rows, runs of deflate, pieces in their
// order.
#include <gmock/gmock.h>
#include <zlib.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "common/errors.h"
#include "media/deflate_run.h"
#include "media/ordered_pieces.h"
#include "media/png_filter.h"
#include "tests/media/media_test_data.h"

namespace layerpipe::media {
namespace {

using Bytes = std::vector<std::byte>;
using ::testing::ElementsAre;

Bytes numbered(std::size_t index) {
  return {static_cast<std::byte>(index), static_cast<std::byte>(index >> 8)};
}

TEST(OrderedPieces, AreTakenInTheirOrderWhateverTheNumberOfThreads) {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::size_t> taken;
    make_in_order(300, threads,
                  {.make =
                       [](std::size_t index) {
                         if (index % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
                         return numbered(index);
                       },
                   .take =
                       [&](std::size_t index, std::span<const std::byte> piece) {
                         EXPECT_EQ(Bytes(piece.begin(), piece.end()), numbered(index));
                         taken.push_back(index);
                       }});
    ASSERT_EQ(taken.size(), 300U) << threads;
    EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end())) << threads;
  }
}

TEST(OrderedPieces, AreMadeByAsManyThreadsAsAllowed) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> at_work{0};
  const auto make = [&](std::size_t index) {
    // All of them must have come before one of them goes on.
    ++at_work;
    while (index < 3 && at_work.load() < 3) std::this_thread::yield();
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    return Bytes();
  };
  make_in_order(20, 3, {.make = make, .take = [](std::size_t, std::span<const std::byte>) {}});
  EXPECT_EQ(threads.size(), 3U);
  threads.clear();
  at_work = 3;
  make_in_order(20, 0, {.make = make, .take = [](std::size_t, std::span<const std::byte>) {}});
  EXPECT_THAT(threads, ElementsAre(std::this_thread::get_id()));
}

TEST(OrderedPieces, EndWithWhatOneOfThemThrows) {
  for (const int threads : {1, 4}) {
    std::size_t taken = 0;
    const auto take = [&](std::size_t, std::span<const std::byte>) { ++taken; };
    const auto make = [](std::size_t index) -> Bytes {
      if (index == 5) throw common::OutputError("piece 5 fails");
      return {};
    };
    EXPECT_THROW(make_in_order(1000, threads, {.make = make, .take = take}), common::OutputError) << threads;
    EXPECT_LE(taken, 5U) << threads;
    const auto refuse = [](std::size_t, std::span<const std::byte>) { throw common::InterruptedError(); };
    EXPECT_THROW(make_in_order(1000, threads, {.make = numbered, .take = refuse}), common::InterruptedError);
  }
}

// A picture of 4 × 3 pixels of noise; what the filters make of it is computed here as the specification says
// it.
class FilteredRows : public ::testing::Test {
 protected:
  static int at(const Image& image, int y, int i) { return y < 0 || i < 0 ? 0 : image.row(y)[i]; }
  static int predict(const Image& image, int filter, int y, int i) {
    const int left = at(image, y, i - 4);
    const int above = at(image, y - 1, i);
    const int corner = i < 4 ? 0 : at(image, y - 1, i - 4);
    const int estimate = left + above - corner;
    switch (filter) {
      case 0:
        return 0;
      case 1:
        return left;
      case 2:
        return above;
      case 3:
        return (left + above) / 2;
      default:
        if (std::abs(estimate - left) <= std::abs(estimate - above) &&
            std::abs(estimate - left) <= std::abs(estimate - corner))
          return left;
        return std::abs(estimate - above) <= std::abs(estimate - corner) ? above : corner;
    }
  }
  // The row by one filter, with its number in front, and the sum of its magnitudes.
  static std::pair<Bytes, int> filtered(const Image& image, int filter, int y) {
    Bytes row{static_cast<std::byte>(filter)};
    int sum = 0;
    for (int i = 0; i < static_cast<int>(image.row_bytes()); ++i) {
      const auto byte = static_cast<std::uint8_t>(at(image, y, i) - predict(image, filter, y, i));
      row.push_back(static_cast<std::byte>(byte));
      sum += byte < 128 ? byte : 256 - byte;
    }
    return {row, sum};
  }
  static Bytes expected(const Image& image, int first, int end) {
    Bytes rows;
    for (int y = first; y < end; ++y) {
      std::pair<Bytes, int> best = filtered(image, 0, y);
      for (int filter = 1; filter < 5; ++filter) {
        std::pair<Bytes, int> other = filtered(image, filter, y);
        if (other.second < best.second) best = std::move(other);
      }
      rows.insert(rows.end(), best.first.begin(), best.first.end());
    }
    return rows;
  }
};

TEST_F(FilteredRows, AreThoseOfTheBestFilter) {
  std::mt19937 random(7);
  std::set<int> chosen;
  // From flat to wild, so that every filter is the best one somewhere.
  for (const int spread : {1, 3, 9, 40, 256}) {
    for (const int width : {1, 2, 5, 67}) {
      Image image = make_image(width, 6);
      for (std::size_t i = 0; i < image.pixels.size(); ++i) {
        const bool slopes = i % 2 == 0 && i > image.row_bytes();
        const int base = slopes ? image.pixels[i - image.row_bytes()] + 3 : 100;
        image.pixels[i] = static_cast<std::uint8_t>(base + static_cast<int>(random() % spread));
      }
      const Bytes whole = filtered_rows(image, 0, image.height);
      EXPECT_EQ(whole, expected(image, 0, image.height)) << spread << " " << width;
      for (std::size_t y = 0; y < 6; ++y)
        chosen.insert(std::to_integer<int>(whole[y * (1 + image.row_bytes())]));
      // Cut anywhere, the rows are the same.
      Bytes joined = filtered_rows(image, 0, 2);
      const Bytes rest = filtered_rows(image, 2, 6);
      joined.insert(joined.end(), rest.begin(), rest.end());
      EXPECT_EQ(joined, whole);
    }
  }
  EXPECT_THAT(chosen, ElementsAre(0, 1, 2, 3, 4));
}

Bytes inflated(const Bytes& stream, std::size_t size) {
  Bytes bytes(size);
  z_stream inflater{};
  EXPECT_EQ(inflateInit2(&inflater, -15), Z_OK);
  inflater.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(stream.data()));
  inflater.avail_in = static_cast<uInt>(stream.size());
  inflater.next_out = reinterpret_cast<Bytef*>(bytes.data());
  inflater.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(inflate(&inflater, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(inflater.avail_in, 0U);
  EXPECT_EQ(inflater.avail_out, 0U);
  inflateEnd(&inflater);
  return bytes;
}

Bytes noise(std::size_t count, int spread) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(count));
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % static_cast<unsigned>(spread));
  return bytes;
}

TEST(DeflateRun, RunsBehindEachOtherAreOneStream) {
  Bytes stream;
  Bytes all;
  for (const std::size_t count : {1U, 2U, 100U, 65535U, 65536U, 300001U}) {
    for (const int spread : {1, 3, 256}) {
      const Bytes bytes = noise(count, spread);
      const Bytes run = deflate_run(bytes);
      EXPECT_EQ(run, deflate_run(bytes));
      EXPECT_LE(run.size(), bytes.size() + bytes.size() / 1000 + 32) << count << " " << spread;
      stream.insert(stream.end(), run.begin(), run.end());
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
  }
  stream.insert(stream.end(), std::begin(kLastBlock), std::end(kLastBlock));
  EXPECT_TRUE(inflated(stream, all.size()) == all);
}

std::size_t deflated_bytes(const Bytes& bytes) {
  Bytes out(compressBound(bytes.size()));
  uLongf size = out.size();
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(out.data()), &size,
                     reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()),
            Z_OK);
  return size;
}

TEST(DeflateRun, IsNoLongerThanZlibMakesIt) {
  // What repeats from afar, what does not repeat, and what is flat.
  Bytes repeats = noise(5000, 256);
  while (repeats.size() < 400000) repeats.insert(repeats.end(), repeats.begin(), repeats.begin() + 5000);
  for (const Bytes& bytes : {repeats, noise(400000, 4), noise(400000, 30), noise(400000, 256), Bytes(400000)})
    EXPECT_LE(static_cast<double>(deflate_run(bytes).size()),
              1.02 * static_cast<double>(deflated_bytes(bytes)) + 32);
}

TEST(DeflateRun, RefusesWhatIsNoRun) {
  EXPECT_THROW(deflate_run({}), common::InternalError);
}

}  // namespace
}  // namespace layerpipe::media
