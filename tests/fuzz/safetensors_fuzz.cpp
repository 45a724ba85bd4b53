// Any bytes as a safetensors file: the header, then every tensor that it lists.
#include <ATen/core/Tensor.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "model/weights/safetensors.h"
#include "tests/fuzz/fuzz_target.h"

namespace model = layerpipe::model;

namespace {

// A file in memory, which has a path for as long as the object lives.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size)
      : descriptor_(::memfd_create(layerpipe::testing::kInputName, MFD_CLOEXEC)) {
    const bool written = ::write(descriptor_, data, size) == static_cast<ssize_t>(size);
    layerpipe::common::ensure(written, "a file in memory could not be written");
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// Looks at every byte of the tensor.
void read(const at::Tensor& tensor, const model::TensorInfo& info) {
  layerpipe::common::ensure(tensor.nbytes() == info.bytes(), "a tensor has another size than its entry");
  const auto* bytes = static_cast<const unsigned char*>(tensor.const_data_ptr());
  unsigned sum = 0;
  for (std::size_t i = 0; i < tensor.nbytes(); ++i) sum += bytes[i];
  volatile unsigned sink = sum;
  (void)sink;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  layerpipe::testing::accept_or_refuse([&] {
    const auto header = model::parse_safetensors_header(layerpipe::testing::bytes_of(data, size), size,
                                                        layerpipe::testing::kInputName);
    const MemoryFile memory(data, size);
    const model::SafetensorsFile file(memory.path());
    for (const auto& [name, info] : header.tensors) read(file.read(name), info);
  });
  return 0;
}
