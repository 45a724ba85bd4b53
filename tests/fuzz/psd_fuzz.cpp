// Any bytes as a Photoshop document: its structure and its layers.
#include <algorithm>

#include "common/utf8.h"
#include "media/psd_reader.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace layerpipe;

constexpr std::uint64_t kMaxPixels = 1 << 16;
// A small file may have a thousand layers, which all are deflated nothing.
constexpr std::size_t kLayersRead = 8;

void read(const media::PictureFile& file) {
  const media::PsdContent content = media::read_psd(file);
  const media::Document& document = content.document;
  common::ensure(!document.layers.empty(), "a document has no layer");
  for (const std::string& remark : content.remarks)
    testing::check_message(common::InputError(std::string(testing::kInputName) + ": " + remark));
  for (const media::DocumentLayer& layer : document.layers)
    common::ensure(!common::first_invalid_utf8(layer.name), "a name is no UTF-8");
  const std::size_t count = std::min(document.layers.size(), kLayersRead);
  for (std::size_t i = 0; i < count; ++i) {
    testing::accept_or_refuse([&] {
      const media::Image image = document.layers[i].read();
      common::ensure(media::is_valid(image), "a layer is not valid");
      common::ensure(image.width == document.width && image.height == document.height,
                     "a layer has another size than its document");
      common::ensure(image.pixels.size() <= 4 * kMaxPixels, "a layer is too large");
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::accept_or_refuse([&] {
    read(media::PictureFile{testing::bytes_of(data, size), testing::kInputName, kMaxPixels});
  });
  return 0;
}
