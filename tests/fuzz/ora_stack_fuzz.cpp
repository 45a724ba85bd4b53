// Any text as the stack.xml of an OpenRaster document, without the archive around it.
#include "common/utf8.h"
#include "media/ora_stack.h"
#include "media/safe_name.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace layerpipe;
  testing::accept_or_refuse([&] {
    const media::OraStack stack =
        media::parse_ora_stack({testing::bytes_of(data, size), testing::kInputName});
    common::ensure(!stack.layers.empty(), "a stack has no layer");
    for (const media::OraStackLayer& layer : stack.layers) {
      common::ensure(media::is_safe_entry_name(layer.source), "a source is not safe");
      common::ensure(!common::first_invalid_utf8(layer.name), "a name is no UTF-8");
      common::ensure(layer.opacity >= 0 && layer.opacity <= 1, "an opacity is out of range");
    }
  });
  return 0;
}
