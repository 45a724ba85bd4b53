// Reading and writing one safetensors file; tests/model/safetensors_source_test.cpp has the shards.
#include "model/weights/safetensors.h"

#include <array>
#include <chrono>
#include <fstream>
#include <functional>

#include "common/files.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

std::string bytes_of(const at::Tensor& tensor) {
  const at::Tensor contiguous = tensor.contiguous();
  return {static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

std::string with_length(std::uint64_t length, const std::string& rest) {
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + rest;
}

class SafetensorsTest : public ::testing::Test {
 protected:
  // A file of this header, padded to a multiple of 8 unless told otherwise, and this data.
  void write(std::string header, const std::string& data, std::size_t multiple = 8) const {
    header.resize((header.size() + multiple - 1) / multiple * multiple, ' ');
    common::write_file_atomically(file_, with_length(header.size(), header + data));
  }
  std::string refusal_of_file() const {
    return layerpipe::testing::refusal(file_.string(), [&] { SafetensorsFile{file_}; });
  }
  // What is said of a file with the one tensor "a" described by `entry`.
  std::string refusal_of_entry(const std::string& entry, const std::string& data) const {
    write(R"({"a":)" + entry + "}", data);
    return refusal_of_file();
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.safetensors";
};

TEST_F(SafetensorsTest, AllDtypesComeBack) {
  // Names in an order that would leave wide tensors behind odd numbers of narrow ones.
  const std::vector<at::ScalarType> dtypes{at::kBool,        at::kByte,  at::kChar, at::kFloat8_e4m3fn,
                                           at::kFloat8_e5m2, at::kShort, at::kHalf, at::kBFloat16,
                                           at::kInt,         at::kFloat, at::kLong, at::kDouble};
  std::map<std::string, at::Tensor> tensors;
  for (std::size_t i = 0; i < dtypes.size(); ++i) {
    tensors[std::string(1, static_cast<char>('a' + i))] = (at::arange(3, at::kFloat) - 1).to(dtypes[i]);
  }
  write_safetensors(file_, tensors);
  const SafetensorsFile file(file_);
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor read = file.read(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(read.sizes(), tensor.sizes()) << name;
    EXPECT_EQ(bytes_of(read), bytes_of(tensor)) << name;
  }
}

TEST_F(SafetensorsTest, ShapesStridesAndMetadataComeBack) {
  const at::Tensor strided = at::arange(6, at::kFloat).view({2, 3}).t();
  write_safetensors(file_,
                    {{"empty", at::empty({0, 3})}, {"scalar", at::full({}, 2.5)}, {"strided", strided}},
                    {{"format", "pt"}});
  const SafetensorsFile file(file_);
  EXPECT_EQ(file.read("empty").sizes(), at::IntArrayRef({0, 3}));
  EXPECT_EQ(file.read("scalar").dim(), 0);
  EXPECT_EQ(file.read("scalar").item<float>(), 2.5F);
  EXPECT_TRUE(at::equal(file.read("strided"), strided));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
}

TEST_F(SafetensorsTest, ATensorOutlivesTheFile) {
  write_safetensors(file_, {{"a", at::arange(5, at::kLong)}});
  const at::Tensor tensor = SafetensorsFile(file_).read("a");
  std::filesystem::remove(file_);
  EXPECT_TRUE(at::equal(tensor, at::arange(5, at::kLong)));
}

TEST_F(SafetensorsTest, ReadsPartsOfATensor) {
  write_safetensors(file_, {{"a", at::arange(100, at::kLong)}, {"b", at::arange(3, at::kByte)}});
  const SafetensorsFile file(file_);
  std::array<std::int64_t, 3> numbers{};
  file.read_bytes("a", 8 * 97, std::as_writable_bytes(std::span(numbers)));
  EXPECT_EQ(numbers, (std::array<std::int64_t, 3>{97, 98, 99}));
  EXPECT_THROW(file.read_bytes("a", 8 * 98, std::as_writable_bytes(std::span(numbers))),
               common::InternalError)
      << "bytes of the tensor behind it were read";
}

// What others do to a file between the reading of its header and that of a tensor.
TEST_F(SafetensorsTest, RefusesAFileThatChangedSinceItsHeaderWasRead) {
  const auto refusal_after = [&](const std::function<void()>& change) {
    write_safetensors(file_, {{"a", at::arange(500, at::kLong)}, {"b", at::arange(500, at::kLong)}});
    std::filesystem::last_write_time(file_,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    const SafetensorsFile file(file_);
    EXPECT_TRUE(at::equal(file.read("a"), at::arange(500, at::kLong)));
    change();
    return layerpipe::testing::refusal(file_.string(), [&] { file.read("b"); });
  };
  EXPECT_EQ(refusal_after([&] { std::filesystem::resize_file(file_, 5000); }),
            "FILE has become shorter: it does not hold all of tensor \"b\"");
  EXPECT_EQ(refusal_after([&] { std::filesystem::resize_file(file_, 0); }),
            "FILE has become shorter: it does not hold all of tensor \"b\"");
  const std::string changed = "FILE has changed since its header was read";
  EXPECT_EQ(refusal_after([&] { std::filesystem::resize_file(file_, 20000); }), changed);
  EXPECT_EQ(refusal_after([&] { std::ofstream(file_, std::ios::in) << "x"; }), changed);
  // Only the part that is read lies in what is left.
  EXPECT_EQ(
      refusal_after([&] { std::filesystem::resize_file(file_, std::filesystem::file_size(file_) + 1); }),
      changed);
  EXPECT_EQ(
      refusal_after([&] {
        write_safetensors(file_, {{"a", at::zeros({500}, at::kLong)}, {"b", at::zeros({500}, at::kLong)}});
      }),
      "FILE has been replaced by another file since its header was read");
  EXPECT_EQ(refusal_after([&] { std::filesystem::remove(file_); }), "accepted");
}

TEST_F(SafetensorsTest, ADtypeWithoutANameIsNotWritten) {
  EXPECT_THROW(write_safetensors(file_, {{"a", at::zeros({1}, at::kComplexFloat)}}), common::InternalError);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(SafetensorsTest, RefusesAFileThatIsNone) {
  common::write_file_atomically(file_, std::string_view("1234567"));
  EXPECT_EQ(refusal_of_file(), "FILE: is too short to be a safetensors file");
  common::write_file_atomically(file_, with_length((100ULL << 20) + 1, "{}"));
  EXPECT_EQ(refusal_of_file(),
            "FILE: its header would have 104857601 bytes, so it is not a safetensors file");
  common::write_file_atomically(file_, std::string(16, '\xff'));
  EXPECT_EQ(refusal_of_file(),
            "FILE: its header would have 18446744073709551615 bytes, so it is not a safetensors file");
  common::write_file_atomically(file_, with_length(9, "{}"));
  EXPECT_EQ(refusal_of_file(), "FILE: is cut short: the header needs 9 bytes, the file has 10 in all");
}

TEST_F(SafetensorsTest, RefusesAHeaderThatIsNoJsonObject) {
  for (const char* header : {"[]", "null"}) {
    write(header, "");
    EXPECT_EQ(refusal_of_file(), "FILE: its header is not a JSON object") << header;
  }
  write("{\"a\":", "");
  EXPECT_EQ(
      refusal_of_file(),
      "FILE: its header is not JSON: parse error at line 1, column 9: syntax error while parsing value - "
      "unexpected end of input; expected '[', '{', or a literal");
  write("{\"a\":1e999}", "");
  EXPECT_EQ(refusal_of_file(), "FILE: its header has the number 1e999 in line 1, which is too large");
  write("{\"\xff\":{}}", "");
  EXPECT_EQ(refusal_of_file(), "FILE: its header is not UTF-8: byte 0xFF at offset 2");
  write(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})",
      "1");
  EXPECT_EQ(refusal_of_file(), "FILE: its header has the key \"a\" twice in one object");
  write(R"({"__metadata__":[]})", "");
  EXPECT_EQ(refusal_of_file(), "FILE: its metadata is not a JSON object");
}

TEST_F(SafetensorsTest, RefusesAMalformedEntry) {
  const std::string malformed = "FILE: the header's entry of tensor \"a\" is malformed";
  for (const char* entry : {
           "7",
           R"({"shape":[1],"data_offsets":[0,4]})",
           R"({"dtype":"F32","data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":[1]})",
           R"({"dtype":32,"shape":[1],"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":["1"],"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":[true],"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":[1],"data_offsets":[0]})",
           R"({"dtype":"F32","shape":[1],"data_offsets":[0,4,8]})",
           R"({"dtype":"F32","shape":[1],"data_offsets":[-4,4]})",
           R"({"dtype":"F32","shape":[1],"data_offsets":[0,4.0]})",
       }) {
    EXPECT_EQ(refusal_of_entry(entry, "1234"), malformed) << entry;
  }
}

TEST_F(SafetensorsTest, RefusesSizesThatDoNotAgree) {
  EXPECT_EQ(refusal_of_entry(R"({"dtype":"Q4","shape":[1],"data_offsets":[0,4]})", "1234"),
            "FILE: tensor \"a\" has dtype \"Q4\", which layerpipe does not know");
  EXPECT_EQ(refusal_of_entry(R"({"dtype":"F32","shape":[2, 1],"data_offsets":[0,4]})", "1234"),
            "FILE: tensor \"a\" has shape [2, 1] and dtype F32 but 4 bytes");
  // 2³² · 2³⁰ · 4 bytes are 2⁶⁴, which is 0 in 64 bits.
  EXPECT_EQ(refusal_of_entry(R"({"dtype":"F32","shape":[4294967296,1073741824],"data_offsets":[0,0]})", ""),
            "FILE: tensor \"a\" has shape [4294967296, 1073741824] and dtype F32 but 0 bytes");
  // No elements, but strides that LibTorch cannot compute.
  const char* strides = R"({"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]})";
  EXPECT_EQ(refusal_of_entry(strides, ""),
            "FILE: tensor \"a\" has shape [0, 4611686018427387904, 4] and dtype F32 but 0 bytes");
}

TEST_F(SafetensorsTest, RefusesOffsetsOutsideOfTheFile) {
  EXPECT_EQ(refusal_of_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", "1234"),
            "FILE: tensor \"a\" lies outside of the file (bytes 0 to 8 of 4)");
  EXPECT_EQ(refusal_of_entry(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", "1234"),
            "FILE: tensor \"a\" lies outside of the file (bytes 4 to 0 of 4)");
  EXPECT_EQ(
      refusal_of_entry(
          R"({"dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615]})", "1234"),
      "FILE: tensor \"a\" lies outside of the file (bytes 18446744073709551614 to 18446744073709551615 of "
      "4)");
}

TEST_F(SafetensorsTest, RefusesAnotherLayoutThanAGaplessOne) {
  const auto two = [](const char* a, const char* b) {
    return std::string(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)") + a +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}";
  };
  write(two("[4,8]", "[0,4]"), "12345678");
  EXPECT_EQ(refusal_of_file(), "accepted");
  write(two("[0,4]", "[2,6]"), "123456");
  EXPECT_EQ(refusal_of_file(), "FILE: two tensors overlap before \"b\"");
  write(two("[0,4]", "[6,10]"), "1234567890");
  EXPECT_EQ(refusal_of_file(), "FILE: there is a hole before \"b\"");
  write(two("[1,5]", "[5,9]"), "123456789");
  EXPECT_EQ(refusal_of_file(), "FILE: there is a hole before \"a\"");
  write(two("[0,4]", "[4,8]"), "1234567890");
  EXPECT_EQ(refusal_of_file(), "FILE: 2 bytes behind the last tensor");
}

TEST_F(SafetensorsTest, EveryShorterFileIsRefused) {
  write_safetensors(file_, {{"a", at::arange(3, at::kFloat)}, {"b", at::arange(5, at::kByte)}});
  const std::string whole = common::read_text_file(file_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    common::write_file_atomically(file_, std::string_view(whole).substr(0, size));
    EXPECT_NE(refusal_of_file(), "accepted") << size << " of " << whole.size() << " bytes";
  }
}

TEST_F(SafetensorsTest, ReadsDataThatIsNotAligned) {
  const at::Tensor values = at::arange(1, 6, at::kFloat) / 3;
  // Behind a header of each of these lengths, the data begins at another address, mostly no multiple of 4.
  for (const std::size_t length : {64U, 65U, 66U, 67U, 68U, 71U}) {
    std::string header = R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}})";
    ASSERT_LE(header.size(), length);
    write(header, bytes_of(values), length);
    const at::Tensor read = SafetensorsFile(file_).read("a");
    EXPECT_TRUE(at::equal(read, values)) << length;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read.const_data_ptr()) % 4, 0U) << length;
  }
}

}  // namespace
}  // namespace layerpipe::model
