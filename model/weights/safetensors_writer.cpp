#include "model/weights/safetensors_writer.h"

#include <ATen/core/Tensor.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "model/weights/safetensors.h"

namespace layerpipe::model {

std::uint64_t TensorToWrite::bytes() const {
  std::uint64_t count = c10::elementSize(dtype);
  for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
  return count;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     const std::map<std::string, TensorToWrite>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : path_(path), beside_(path), descriptor_(::open(beside_.temporary().c_str(), O_WRONLY | O_CLOEXEC)) {
  if (descriptor_.get() < 0) throw common::output_error(path_, errno);
  std::vector<std::pair<std::string, TensorToWrite>> order(tensors.begin(), tensors.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return c10::elementSize(a.second.dtype) > c10::elementSize(b.second.dtype);
  });
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : order) {
    const std::uint64_t end = offset + tensor.bytes();
    header[name] = {
        {"dtype", safetensors_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    missing_[name] = {offset, tensor.bytes()};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  const std::uint64_t length = text.size();
  for (auto& [name, place] : missing_) place.begin += sizeof length + length;
  write(&length, sizeof length, 0);
  write(text.data(), length, sizeof length);
}

void SafetensorsWriter::write(const void* data, std::uint64_t size, std::uint64_t begin) const {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::pwrite(descriptor_.get(), from, size, static_cast<off_t>(begin));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw common::output_error(path_, written < 0 ? errno : ENOSPC);
    from += written;
    begin += static_cast<std::uint64_t>(written);
    size -= static_cast<std::uint64_t>(written);
  }
}

void SafetensorsWriter::put(const std::string& name, const at::Tensor& tensor) {
  const auto place = missing_.find(name);
  const at::Tensor host = tensor.detach().cpu().contiguous();
  common::ensure(place != missing_.end() && place->second.bytes == host.nbytes(),
                 "a tensor is written that a file has no place for");
  write(host.const_data_ptr(), host.nbytes(), place->second.begin);
  missing_.erase(place);
}

void SafetensorsWriter::commit() {
  common::ensure(missing_.empty(), "a file is finished that lacks a tensor");
  // close() is where a network file system reports a full disk.
  if (::close(descriptor_.release()) != 0) throw common::output_error(path_, errno);
  beside_.commit();
}

}  // namespace layerpipe::model
