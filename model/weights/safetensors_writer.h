// Writing safetensors files that do not fit into memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/descriptor.h"
#include "common/files.h"

namespace layerpipe::model {

// A tensor that is going to be in a file.
struct TensorToWrite {
  at::ScalarType dtype{};
  std::vector<std::int64_t> shape;
  std::uint64_t bytes() const;
};

// One file, whose tensors come in any order. Wide dtypes lie first in it, and those of one width in the order
// of their names, so that every tensor is aligned to its dtype without holes. It lies beside its place until
// commit(), and is removed otherwise.
class SafetensorsWriter {
 public:
  // Throws OutputError.
  SafetensorsWriter(const std::filesystem::path& path, const std::map<std::string, TensorToWrite>& tensors,
                    const std::map<std::string, std::string>& metadata);

  // The values of one of them, of its dtype and shape, wherever they are. Throws OutputError.
  void put(const std::string& name, const at::Tensor& tensor);

  // Gives the file its name, once each tensor has been put. Throws OutputError.
  void commit();

 private:
  void write(const void* data, std::uint64_t size, std::uint64_t begin) const;

  std::filesystem::path path_;
  common::FileBeside beside_;
  common::Descriptor descriptor_;
  struct Place {
    std::uint64_t begin;  // in the file
    std::uint64_t bytes;
  };
  std::map<std::string, Place> missing_;
};

}  // namespace layerpipe::model
