// Windows of files, with a registrar of the test's own, on a CPU: which are registered, and what arrives.
#include "model/weights/registered_pages.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>
#include <string_view>

#include "common/files.h"
#include "model/weights/fp8_source.h"
#include "model/weights/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

const auto kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
// The file's last window is half a page.
constexpr std::uint64_t kWholePages = 6;

std::string make_content() {
  std::string content(kWholePages * kPage + kPage / 2, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i / kPage * 31 + i % 251);
  return content;
}

at::Tensor bytes(std::uint64_t count) {
  return at::empty({static_cast<std::int64_t>(count)}, at::TensorOptions().dtype(at::kByte));
}

class RegisteredPagesTest : public ::testing::Test {
 protected:
  RegisteredPagesTest() {
    const auto path = folder_.path() / "weights";
    common::write_file_atomically(path, content_);
    file_ = std::make_unique<common::InputFile>(path);
  }

  // A window is a page.
  RegisteredPages pages(std::uint64_t most_windows) {
    const auto pin = [this](void* data, std::uint64_t size) {
      if (pins_left_ == 0) return false;
      --pins_left_;
      pinned_[data] = size;
      return true;
    };
    const auto unpin = [this](void* data) { EXPECT_EQ(pinned_.erase(data), 1U); };
    return RegisteredPages(at::kCPU, {pin, unpin}, most_windows * kPage, kPage);
  }

  // Whether bytes come, which have to be those of the file.
  bool comes(RegisteredPages& pages, std::uint64_t begin, std::uint64_t count) const {
    const at::Tensor to = bytes(count);
    if (!pages.copy(*file_, begin, to)) return false;
    const std::string_view came(static_cast<const char*>(to.const_data_ptr()), count);
    EXPECT_TRUE(came == std::string_view(content_).substr(begin, count)) << begin << " " << count;
    return true;
  }

  const std::string content_ = make_content();
  layerpipe::testing::TemporaryFolder folder_;
  std::unique_ptr<common::InputFile> file_;
  std::map<void*, std::uint64_t> pinned_;
  int pins_left_ = 100;
};

TEST_F(RegisteredPagesTest, CopiesWhatLiesInOneWindowInSeveralAndAtTheEnd) {
  {
    RegisteredPages all = pages(kWholePages + 1);
    EXPECT_TRUE(comes(all, 5, 10));
    EXPECT_EQ(all.registered_bytes(), kPage);
    EXPECT_TRUE(comes(all, kPage - 1, 2));
    EXPECT_TRUE(comes(all, kPage / 3, 3 * kPage));
    EXPECT_EQ(pinned_.size(), 4U);
    EXPECT_TRUE(comes(all, 0, content_.size()));
    EXPECT_EQ(all.registered_bytes(), content_.size());
    EXPECT_TRUE(comes(all, content_.size(), 0));
    EXPECT_FALSE(comes(all, content_.size() - 1, 2)) << "beyond the end";
  }
  EXPECT_TRUE(pinned_.empty());
}

TEST_F(RegisteredPagesTest, TheFirstWindowsStayAndNoneMakesRoom) {
  RegisteredPages some = pages(2);
  EXPECT_TRUE(comes(some, 0, 10));
  EXPECT_TRUE(comes(some, 3 * kPage, 10));
  EXPECT_FALSE(comes(some, kPage, 10));
  EXPECT_FALSE(comes(some, 3 * kPage, 2 * kPage));
  EXPECT_TRUE(comes(some, 3 * kPage + 1, 10));
  EXPECT_EQ(some.registered_bytes(), 2 * kPage);
}

TEST_F(RegisteredPagesTest, AsksNoMoreForAFileThatWasRefused) {
  const auto other = folder_.path() / "other";
  common::write_file_atomically(other, content_);
  const common::InputFile file(other);
  pins_left_ = 1;
  RegisteredPages some = pages(5);
  EXPECT_TRUE(comes(some, 0, 10));
  EXPECT_FALSE(comes(some, kPage, 10));
  EXPECT_EQ(some.registered_bytes(), kPage);
  pins_left_ = 100;
  EXPECT_FALSE(comes(some, 2 * kPage, 10));
  EXPECT_EQ(pins_left_, 100);
  EXPECT_TRUE(comes(some, 0, 10)) << "what was registered before";
  EXPECT_TRUE(some.copy(file, 0, bytes(3)));
}

// Nothing is enqueued for a tensor of which a part cannot come.
TEST_F(RegisteredPagesTest, CopiesAllOfATensorOrNothing) {
  RegisteredPages some = pages(2);
  const at::Tensor to = bytes(3 * kPage).fill_(7);
  EXPECT_FALSE(some.copy(*file_, 0, to));
  EXPECT_TRUE(to.eq(7).all().item<bool>());
}

TEST_F(RegisteredPagesTest, TellsFilesApart) {
  const auto other = folder_.path() / "other";
  common::write_file_atomically(other, std::string(kPage, 'x'));
  const common::InputFile file(other);
  RegisteredPages all = pages(4);
  EXPECT_TRUE(comes(all, 0, 10));
  const at::Tensor to = bytes(3);
  EXPECT_TRUE(all.copy(file, 7, to));
  EXPECT_EQ(std::string_view(static_cast<const char*>(to.const_data_ptr()), 3), "xxx");
  EXPECT_TRUE(comes(all, 0, 10));
}

TEST_F(RegisteredPagesTest, ACpuAndABuildWithoutKernelsRegisterNothing) {
  EXPECT_FALSE(registrar_for(at::kCPU).pin(&pins_left_, sizeof pins_left_));
}

TEST(PlaceOfATensor, IsWhereItsBytesLie) {
  const layerpipe::testing::TemporaryFolder folder;
  const at::Tensor values = at::empty({3, 5}, at::TensorOptions().dtype(at::kFloat)).fill_(2.5);
  write_safetensors(folder.path() / "model.safetensors", {{"a", bytes(0)}, {"b", values}});
  const auto source = std::make_shared<SafetensorsSource>(folder.path(), "model");
  const auto place = source->place("b", {3, 5});
  ASSERT_TRUE(place);
  std::array<float, 15> read{};
  place->file->read(place->begin, std::as_writable_bytes(std::span(read)));
  for (const float value : read) EXPECT_EQ(value, 2.5F);
  EXPECT_EQ(Fp8Source(source, {}).place("b", {3, 5})->begin, place->begin);
  EXPECT_FALSE(RandomTensorSource("transformer", at::kFloat).place("b", {3, 5}));
}

}  // namespace
}  // namespace layerpipe::model
