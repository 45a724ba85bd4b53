// The safetensors file format: an 8-byte header length, a JSON header, then the tensors' bytes.
// Source: the format's description in the README of the safetensors project.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "common/input_file.h"
#include "model/weights/quantised_formats.h"
#include "model/weights/tensor_names.h"
#include "model/weights/tensor_source.h"
#include "model/weights/weight_files.h"

namespace layerpipe::model {

// What a header says of one tensor.
struct TensorInfo {
  at::ScalarType storage_dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin;  // of its bytes, from the start of the file
  std::uint64_t end;
  std::uint64_t bytes() const { return end - begin; }
};

struct SafetensorsHeader {
  std::map<std::string, TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
};

// "BF16": what the format calls a dtype. One that it does not have is an InternalError.
const char* safetensors_name(at::ScalarType dtype);

// How many bytes of a file of `file_size` its header takes with its length, which the file begins with:
// `start` has that, or all of a file that is too short for it. Throws InputError when it cannot be a
// header's.
std::uint64_t safetensors_header_end(std::span<const std::byte> start, std::uint64_t file_size,
                                     const std::string& name);

// The header of a file of `file_size` bytes that begins with `start`, which holds all of the header, checked
// whole: JSON, known dtypes, sizes that agree with the shapes, offsets inside the file that neither overlap
// nor leave holes. Throws InputError naming the tensor, and the file by `name`.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> start, std::uint64_t file_size,
                                           const std::string& name);

// One file, held open. Throws InputError as parse_safetensors_header when it is opened. Several threads may
// use it at once.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, TensorInfo>& tensors() const noexcept { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const noexcept { return header_.metadata; }
  const std::filesystem::path& path() const noexcept { return file_.path(); }

  // Fills `to` with bytes of a tensor that is there, from its number `begin` on. Throws InputError that names
  // file and tensor when they cannot be read, or the file has changed since its header was read.
  void read_bytes(const std::string& name, std::uint64_t begin, std::span<std::byte> to) const;

  // A whole tensor that is there, in host memory of its own. Throws as read_bytes().
  at::Tensor read(const std::string& name) const;

 private:
  common::InputFile file_;
  SafetensorsHeader header_;
};

// One component's folder: the files that find_weight_files chooses (model/weights/weight_files.h), under the
// names that a network knows (model/weights/tensor_names.h). With an index, files are opened when a tensor of
// theirs is first asked for, so only what is needed is read.
class SafetensorsSource : public TensorSource {
 public:
  // `variant` is that of --variant, empty without one. Throws InputError when there are no such files, the
  // index names a shard that does not exist, or the tensors' names show weights that are not read.
  SafetensorsSource(const std::filesystem::path& folder, const std::string& stem,
                    const std::string& variant = {});
  // The same for one file, whatever its name, that holds all of a component.
  explicit SafetensorsSource(const std::filesystem::path& file);

  bool contains(const std::string& name) const override { return places_.contains(name); }
  // Beside what TensorSource says, InputError for a dtype that is not one of weights: integers, and 8-bit
  // floats that are not of a known form of quantised weights; and for weights that are half quantised
  // (model/weights/quantised_formats.h), for which all headers are read.
  at::ScalarType storage_dtype(const std::string& name, at::IntArrayRef shape) const override;
  void read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                  std::span<std::byte> to) const override;
  bool is_quantised() const override { return !quantised().empty(); }
  std::optional<QuantisedForm> quantised_form(const std::string& name, at::IntArrayRef shape) const override;
  at::Tensor read_scale(const std::string& name, at::IntArrayRef shape) const override;
  QuantisedValues read_quantised(const std::string& name, at::IntArrayRef shape) const override;
  bool reads_files() const noexcept override { return true; }
  std::string where(const std::string& name) const override { return open(place_of(name)).path().string(); }

  // Every tensor's header entry, by the names that a network knows; opens all files.
  std::map<std::string, TensorInfo> tensors() const;
  // Those that are quantised, by the names that a network knows; opens all files. Throws InputError as
  // storage_dtype() for weights that are half quantised.
  const std::map<std::string, QuantisedTensor>& quantised() const;
  std::size_t file_count() const noexcept { return files_.size(); }
  std::vector<std::string> file_names() const;
  // What was chosen in the folder.
  const WeightFiles& chosen() const noexcept { return chosen_; }
  // In front of all names in the files, and left out; mostly empty.
  const std::string& prefix() const noexcept { return names_.prefix; }
  // What a person should know of them: sentences without their end. "MODEL/vae: …".
  std::vector<std::string> remarks() const;

 private:
  struct LazyFile;
  struct Place {
    std::shared_ptr<LazyFile> file;
    std::string name;  // in the file
  };
  SafetensorsSource(const std::filesystem::path& folder, WeightFiles chosen, const std::string& variant);
  // Opens the index, or the files without one; gives the file of every tensor by its name there.
  std::map<std::string, std::shared_ptr<LazyFile>> locate(const std::filesystem::path& folder);
  const Place& place_of(const std::string& name) const;
  const SafetensorsFile& open(const Place& place) const;
  // The file of a tensor that can be used as a weight of that shape.
  const SafetensorsFile& open_checked(const std::string& name, at::IntArrayRef shape) const;

  std::string where_;   // the folder, or its one file that has a name of its own
  std::string wanted_;  // the variant that was asked for
  WeightFiles chosen_;
  TensorNames names_;
  std::map<std::string, std::shared_ptr<LazyFile>> files_;  // by file name
  std::map<std::string, Place> places_;                     // by the network's name of a tensor
  mutable std::once_flag quantised_found_;
  mutable std::map<std::string, QuantisedTensor> quantised_;
};

// The weights of one component of a model folder: those of its file in `files`, or of its own folder. Throws
// as SafetensorsSource does.
std::shared_ptr<const SafetensorsSource> open_component(const std::filesystem::path& model,
                                                        const std::string& component,
                                                        const std::string& variant,
                                                        const ComponentFiles& files);

// Writes tensors to a file, wide dtypes first and then in the order of their names, beside it and then
// renamed. Tensors are made contiguous host memory first. Throws OutputError.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, at::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace layerpipe::model
