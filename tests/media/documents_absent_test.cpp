#include "common/errors.h"
#include "media/ora_reader.h"
#include "media/ora_writer.h"
#include "media/pptx_writer.h"
#include "tests/media/document_test_data.h"

namespace layerpipe::media {
namespace {

template <typename Call>
void expect_absent(const Call& call, const std::string& what) {
  try {
    call();
    FAIL() << "it can";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), "this layerpipe was built without libzip and pugixml, and cannot " + what);
    EXPECT_EQ(error.remedy(), "Install both (Debian: libzip-dev libpugixml-dev) and build layerpipe again.");
  }
}

TEST(DocumentsAbsent, SaysWhatThisBuildCannotDo) {
  const Document document = document_of({{"a", make_image(1, 1)}});
  expect_absent([&] { write_ora("a.ora", document); }, "write OpenRaster documents");
  expect_absent([&] { write_pptx("a.pptx", document); }, "write presentations");
  expect_absent([] { write_zip("a.zip", {}); }, "write ZIP archives");
  expect_absent([] { check_zip_is_built("write --format zip"); }, "write --format zip");
  expect_absent([] { read_ora("a.ora"); }, "read the OpenRaster document a.ora");
}

}  // namespace
}  // namespace layerpipe::media
