#include "model/weights/safetensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/errors.h"
#include "common/files.h"
#include "common/texts.h"
#include "model/json_fields.h"
#include "model/weights/foreign_weights.h"
#include "model/weights/safetensors_writer.h"

namespace layerpipe::model {
namespace {

constexpr std::uint64_t kHeaderLengthBytes = 8;
constexpr std::uint64_t kStartBytes = 16;               // which tell another kind of file
constexpr std::uint64_t kLargestHeader = 100ULL << 20;  // the limit that the format's own library sets
constexpr std::uint64_t kLongestMark = 1 << 16;         // of a quantised layer, as JSON
constexpr const char* kQuantisationMetadata = "_quantization_metadata";
constexpr const char* kCopyAgain = "The file may be cut short or damaged; copy or download it again.";
// Of a checkpoint that holds several components, each below a prefix of its own.
constexpr const char* kOneComponentAlone =
    "Put a file there that holds this component alone, all of its names with the prefix or none.";

struct DtypeName {
  const char* name;
  at::ScalarType dtype;
};
constexpr std::array kDtypes{
    DtypeName{"F64", at::kDouble},
    DtypeName{"F32", at::kFloat},
    DtypeName{"F16", at::kHalf},
    DtypeName{"BF16", at::kBFloat16},
    DtypeName{"I64", at::kLong},
    DtypeName{"I32", at::kInt},
    DtypeName{"I16", at::kShort},
    DtypeName{"I8", at::kChar},
    DtypeName{"U8", at::kByte},
    DtypeName{"BOOL", at::kBool},
    DtypeName{"F8_E4M3", at::kFloat8_e4m3fn},
    DtypeName{"F8_E5M2", at::kFloat8_e5m2},
};

std::optional<at::ScalarType> dtype_from_name(const std::string& name) {
  for (const auto& entry : kDtypes) {
    if (name == entry.name) return entry.dtype;
  }
  return std::nullopt;
}

// Dtypes whose values are the weights themselves. Integers never are, and 8-bit floats only together with
// scales, which lie in tensors of their own.
bool is_weight_dtype(at::ScalarType dtype) {
  return dtype == at::kBFloat16 || dtype == at::kHalf || dtype == at::kFloat || dtype == at::kDouble;
}

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw common::InputError(file + ": " + what, kCopyAgain);
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

// The number of bytes of a tensor, or nothing when it overflows. A tensor without elements still has strides,
// in which its zeros count as ones.
std::optional<std::uint64_t> byte_count(const std::vector<std::int64_t>& shape, at::ScalarType dtype) {
  auto count = static_cast<std::int64_t>(c10::elementSize(dtype));
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(count, std::max<std::int64_t>(size, 1), &count)) return std::nullopt;
  }
  return std::count(shape.begin(), shape.end(), 0) != 0 ? 0 : static_cast<std::uint64_t>(count);
}

nlohmann::json parse_json_header(std::span<const std::byte> bytes, const std::string& file) {
  const char* text = reinterpret_cast<const char*>(bytes.data()) + kHeaderLengthBytes;
  auto header = parse_json({text, bytes.size() - kHeaderLengthBytes}, file + ": its header");
  if (!header.is_object()) refuse(file, "its header is not a JSON object");
  return header;
}

// A list of sizes or offsets. nlohmann-json would turn 1.5, true and −1 into numbers that are not there.
// Throws nlohmann::json::exception.
template <typename T>
std::vector<T> read_sizes(const nlohmann::json& list) {
  std::vector<T> sizes;
  for (const auto& size : list.get_ref<const nlohmann::json::array_t&>()) {
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > std::numeric_limits<T>::max()) {
      throw nlohmann::json::other_error::create(0, "no size", &size);
    }
    sizes.push_back(size.get<T>());
  }
  return sizes;
}

TensorInfo parse_entry(const std::string& path, const std::string& name, const nlohmann::json& entry,
                       std::uint64_t data_begin, std::uint64_t file_size) {
  const std::string tensor = "tensor " + shown(name);
  const std::string malformed = "the header's entry of " + tensor + " is malformed";
  try {
    TensorInfo info;
    const auto dtype_name = entry.at("dtype").get<std::string>();
    const auto dtype = dtype_from_name(dtype_name);
    if (!dtype) refuse(path, tensor + " has dtype " + shown(dtype_name) + ", which layerpipe does not know");
    info.storage_dtype = *dtype;
    info.shape = read_sizes<std::int64_t>(entry.at("shape"));
    const auto offsets = read_sizes<std::uint64_t>(entry.at("data_offsets"));
    if (offsets.size() != 2) refuse(path, malformed);
    if (offsets[0] > offsets[1] || offsets[1] > file_size - data_begin) {
      refuse(path, tensor + " lies outside of the file (bytes " + std::to_string(offsets[0]) + " to " +
                       std::to_string(offsets[1]) + " of " + std::to_string(file_size - data_begin) + ")");
    }
    info.begin = data_begin + offsets[0];
    info.end = data_begin + offsets[1];
    if (byte_count(info.shape, info.storage_dtype) != info.bytes()) {
      refuse(path, tensor + " has shape " + shape_text(info.shape) + " and dtype " + dtype_name + " but " +
                       std::to_string(info.bytes()) + " bytes");
    }
    return info;
  } catch (const nlohmann::json::exception&) {
    refuse(path, malformed);
  }
}

// The bytes of the tensors have to fill the file: no overlap, no hole, nothing behind.
void check_layout(const std::string& path, const std::map<std::string, TensorInfo>& tensors,
                  std::uint64_t data_begin, std::uint64_t file_size) {
  std::vector<std::pair<const TensorInfo*, const std::string*>> order;
  order.reserve(tensors.size());
  for (const auto& [name, info] : tensors) order.emplace_back(&info, &name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
  });
  std::uint64_t position = data_begin;
  for (const auto& [info, name] : order) {
    if (info->begin != position) {
      refuse(path, std::string(info->begin < position ? "two tensors overlap" : "there is a hole") +
                       " before " + shown(*name));
    }
    position = info->end;
  }
  if (position != file_size)
    refuse(path, std::to_string(file_size - position) + " bytes behind the last tensor");
}

// To be called behind every read. Another file in its place is no mistake of the bytes, but of what the run
// would say that it was made from.
void check_unchanged(const common::InputFile& file) {
  constexpr const char* kLeaveAlone =
      "Leave the file alone while it is in use, and start again; copy or download it first if it was cut "
      "short.";
  if (file.was_written_to()) {
    throw common::InputError(file.path().string() + " has changed since its header was read", kLeaveAlone);
  }
  if (file.was_replaced()) {
    throw common::InputError(
        file.path().string() + " has been replaced by another file since its header was read", kLeaveAlone);
  }
}

SafetensorsHeader read_header(const common::InputFile& file) {
  const std::string name = file.path().string();
  std::vector<std::byte> start(std::min<std::uint64_t>(file.size(), kStartBytes));
  file.read(0, start, "its header");
  start.resize(safetensors_header_end(start, file.size(), name));
  file.read(0, start, "its header");
  check_unchanged(file);
  return parse_safetensors_header(start, file.size(), name);
}

}  // namespace

const char* safetensors_name(at::ScalarType dtype) {
  for (const auto& entry : kDtypes) {
    if (dtype == entry.dtype) return entry.name;
  }
  throw common::InternalError("a tensor of this dtype cannot be written to safetensors");
}

std::uint64_t safetensors_header_end(std::span<const std::byte> start, std::uint64_t file_size,
                                     const std::string& name) {
  std::uint64_t length = 0;
  if (start.size() < kHeaderLengthBytes) refuse(name, "is too short to be a safetensors file");
  std::memcpy(&length, start.data(), sizeof length);
  if (length > kLargestHeader) {
    if (const auto foreign = foreign_file(start.first(std::min<std::uint64_t>(start.size(), kStartBytes))))
      throw common::InputError(name + " " + foreign->what, foreign->cure);
    refuse(name,
           "its header would have " + std::to_string(length) + " bytes, so it is not a safetensors file");
  }
  if (length > file_size - kHeaderLengthBytes) {
    refuse(name, "is cut short: the header needs " + std::to_string(length) + " bytes, the file has " +
                     std::to_string(file_size) + " in all");
  }
  return kHeaderLengthBytes + length;
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> start, std::uint64_t file_size,
                                           const std::string& name) {
  const std::uint64_t data_begin = safetensors_header_end(start, file_size, name);
  common::ensure(start.size() >= data_begin, "a part of a safetensors header is to be parsed");
  const nlohmann::json json = parse_json_header(start.first(data_begin), name);
  SafetensorsHeader header;
  for (const auto& [key, entry] : json.items()) {
    if (key == "__metadata__") {
      if (!entry.is_object()) refuse(name, "its metadata is not a JSON object");
      for (const auto& [field, value] : entry.items())
        header.metadata[field] = value.is_string() ? value.get<std::string>() : value.dump();
    } else {
      header.tensors.emplace(key, parse_entry(name, key, entry, data_begin, file_size));
    }
  }
  check_layout(name, header.tensors, data_begin, file_size);
  return header;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path), header_(read_header(file_)) {}

void SafetensorsFile::read_bytes(const std::string& name, std::uint64_t begin,
                                 std::span<std::byte> to) const {
  const TensorInfo& info = header_.tensors.at(name);
  common::ensure(begin <= info.bytes() && to.size() <= info.bytes() - begin,
                 "more is to be read of a tensor than it has");
  file_.read(info.begin + begin, to, [&] { return "tensor " + shown(name); });
  check_unchanged(file_);
}

at::Tensor SafetensorsFile::read(const std::string& name) const {
  const TensorInfo& info = header_.tensors.at(name);
  const at::Tensor tensor = at::empty(info.shape, at::TensorOptions().dtype(info.storage_dtype));
  read_bytes(name, 0, {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()});
  return tensor;
}

struct SafetensorsSource::LazyFile {
  explicit LazyFile(std::filesystem::path file_path) : path(std::move(file_path)) {}
  std::filesystem::path path;
  std::once_flag opened;
  std::optional<SafetensorsFile> file;

  const SafetensorsFile& get() {
    std::call_once(opened, [this] { file.emplace(path); });
    return *file;
  }
};

SafetensorsSource::SafetensorsSource(const std::filesystem::path& folder, const std::string& stem,
                                     const std::string& variant)
    : SafetensorsSource(folder, find_weight_files(folder, stem, variant), variant) {}

SafetensorsSource::SafetensorsSource(const std::filesystem::path& file)
    : SafetensorsSource(file.parent_path(),
                        {.index = {}, .files = {file.filename().string()}, .has_own_name = true}, {}) {}

SafetensorsSource::SafetensorsSource(const std::filesystem::path& folder, WeightFiles chosen,
                                     const std::string& variant)
    : where_(folder.string()), wanted_(variant), chosen_(std::move(chosen)) {
  if (chosen_.has_own_name) where_ = (folder / chosen_.files.front()).string();
  const auto file_of = locate(folder);
  std::vector<std::string> names;
  names.reserve(file_of.size());
  for (const auto& [name, file] : file_of) names.push_back(name);
  names_ = read_tensor_names(names, where_);
  for (const auto& [name, stored] : names_.stored) places_[name] = {file_of.at(stored), stored};
}

std::map<std::string, std::shared_ptr<SafetensorsSource::LazyFile>> SafetensorsSource::locate(
    const std::filesystem::path& folder) {
  std::map<std::string, std::shared_ptr<LazyFile>> file_of;
  for (const std::string& name : chosen_.files) {
    const auto& file = files_[name] = std::make_shared<LazyFile>(folder / name);
    for (const auto& [tensor, info] : file->get().tensors()) {
      if (!file_of.emplace(tensor, file).second)
        refuse(file->path.string(), "tensor " + shown(tensor) + " is in another file of the folder as well");
    }
  }
  if (chosen_.index.empty()) return file_of;
  JsonFields index = JsonFields::from_file(folder / chosen_.index);
  for (const auto& [tensor, file_name] : index.get<std::map<std::string, std::string>>("weight_map")) {
    auto& file = files_[file_name];
    if (!file) {
      file = std::make_shared<LazyFile>(folder / file_name);
      if (!std::filesystem::is_regular_file(file->path)) {
        throw common::InputError(
            file->path.string() + " is missing; " + chosen_.index + " says that it holds \"" + tensor + "\"",
            "Copy or download the model's missing file.");
      }
    }
    file_of[tensor] = file;
  }
  return file_of;
}

const SafetensorsSource::Place& SafetensorsSource::place_of(const std::string& name) const {
  const auto found = places_.find(name);
  if (found != places_.end()) return found->second;
  const std::string missing = where_ + ": tensor \"" + name + "\" is missing";
  if (names_.partial_prefix.empty())
    throw common::InputError(missing, "Check that the config and the weights belong to the same model.");
  throw common::InputError(missing + "; " + std::to_string(names_.with_partial_prefix) + " of " +
                               std::to_string(names_.stored.size()) + " tensors lie below \"" +
                               names_.partial_prefix + "\", the others do not",
                           kOneComponentAlone);
}

const SafetensorsFile& SafetensorsSource::open(const Place& place) const {
  const SafetensorsFile& file = place.file->get();
  if (!file.tensors().contains(place.name))
    refuse(file.path().string(), "the index puts tensor \"" + place.name + "\" here, but it is not");
  return file;
}

const SafetensorsFile& SafetensorsSource::open_checked(const std::string& name, at::IntArrayRef shape) const {
  const Place& place = place_of(name);
  const SafetensorsFile& file = open(place);
  const TensorInfo& info = file.tensors().at(place.name);
  if (!is_weight_dtype(info.storage_dtype) && !quantised().contains(name)) {
    throw common::InputError(file.path().string() + ": tensor \"" + place.name + "\" has dtype " +
                                 safetensors_name(info.storage_dtype) + ", which is not one of weights",
                             "Use the model's weights in BF16, F16, F32 or F64.");
  }
  if (at::IntArrayRef(info.shape) != shape) {
    throw common::InputError(file.path().string() + ": tensor \"" + place.name + "\" has shape " +
                                 shape_text(info.shape) + "; the config needs " + shape_text(shape),
                             "Check that the config and the weights belong to the same model.");
  }
  return file;
}

at::ScalarType SafetensorsSource::storage_dtype(const std::string& name, at::IntArrayRef shape) const {
  return open_checked(name, shape).tensors().at(place_of(name).name).storage_dtype;
}

void SafetensorsSource::read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                                   std::span<std::byte> to) const {
  open_checked(name, shape).read_bytes(place_of(name).name, static_cast<std::uint64_t>(begin), to);
}

const std::map<std::string, QuantisedTensor>& SafetensorsSource::quantised() const {
  std::call_once(quantised_found_, [this] {
    ComponentHeaders headers{.prefix = names_.prefix, .read_text = [this](const std::string& name) {
                               const Place& place = place_of(name);
                               const SafetensorsFile& file = open(place);
                               const TensorInfo& info = file.tensors().at(place.name);
                               if (info.storage_dtype != at::kByte || info.bytes() > kLongestMark)
                                 refuse(file.path().string(), "tensor " + shown(name) + " is no text in U8");
                               std::string text(info.bytes(), '\0');
                               file.read_bytes(place.name, 0, std::as_writable_bytes(std::span(text)));
                               return text;
                             }};
    std::map<std::string, std::string> metadata;  // each file once
    for (const auto& [name, place] : places_) {
      const SafetensorsFile& file = open(place);
      const TensorInfo& info = file.tensors().at(place.name);
      headers.tensors.emplace(name, HeaderTensor{info.storage_dtype, info.shape, file.path().string()});
      const auto found = file.metadata().find(kQuantisationMetadata);
      if (found != file.metadata().end()) metadata.emplace(file.path().string(), found->second);
    }
    headers.metadata.assign(metadata.begin(), metadata.end());
    quantised_ = find_quantised_tensors(headers);
  });
  return quantised_;
}

std::optional<QuantisedForm> SafetensorsSource::quantised_form(const std::string& name,
                                                               at::IntArrayRef shape) const {
  const at::ScalarType dtype = storage_dtype(name, shape);
  const auto found = quantised().find(name);
  if (found == quantised().end() || shape.size() != 2) return std::nullopt;
  return QuantisedForm{dtype, found->second.rotated_group, found->second.fastest};
}

at::Tensor SafetensorsSource::read_scale(const std::string& name, at::IntArrayRef shape) const {
  const QuantisedTensor& entry = quantised().at(name);
  const auto options = at::TensorOptions().dtype(at::kFloat);
  if (entry.scale.empty()) return at::ones({shape[0]}, options);
  const Place& place = place_of(entry.scale);
  const SafetensorsFile& file = open(place);
  const at::Tensor scale = file.read(place.name).view({-1});
  for (const float value :
       std::span(scale.const_data_ptr<float>(), static_cast<std::size_t>(scale.numel()))) {
    if (std::isfinite(value) && value > 0) continue;
    throw common::InputError(
        file.path().string() + ": the scale " + shown(place.name) + " holds " +
            (std::isfinite(value) ? std::to_string(value) : "a value that is not finite") +
            "; scales are above 0",
        kCopyAgain);
  }
  return scale.expand({shape[0]}).contiguous();
}

QuantisedValues SafetensorsSource::read_quantised(const std::string& name, at::IntArrayRef shape) const {
  const SafetensorsFile& file = open_checked(name, shape);
  const at::ScalarType dtype = storage_dtype(name, shape);
  QuantisedValues result{at::empty(shape, at::TensorOptions().dtype(dtype)), read_scale(name, shape)};
  const std::string& stored = place_of(name).name;
  std::atomic<bool> is_finite{true};
  // Each part is looked at while it lies in the cache. Any bits are a number in int8.
  read_in_parts({static_cast<std::byte*>(result.values.mutable_data_ptr()), result.values.nbytes()},
                [&](std::int64_t begin, std::span<std::byte> part) {
                  file.read_bytes(stored, static_cast<std::uint64_t>(begin), part);
                  if (dtype != at::kFloat8_e4m3fn) return;
                  constexpr std::byte kNan{0x7F};  // of both signs; e4m3 has no other, and no infinity
                  const bool has_nan = std::any_of(part.begin(), part.end(),
                                                   [](std::byte code) { return (code & kNan) == kNan; });
                  if (has_nan) is_finite = false;
                });
  if (!is_finite) refuse_values(file.path().string(), stored);
  return result;
}

std::map<std::string, TensorInfo> SafetensorsSource::tensors() const {
  std::map<std::string, TensorInfo> all;
  for (const auto& [name, place] : places_) all.emplace(name, open(place).tensors().at(place.name));
  return all;
}

std::vector<std::string> SafetensorsSource::file_names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

std::vector<std::string> SafetensorsSource::remarks() const {
  std::vector<std::string> remarks;
  if (!wanted_.empty() && wanted_ != (chosen_.variant.empty() ? kPlainVariant : chosen_.variant)) {
    remarks.push_back(where_ + " has no weights of the variant " + wanted_ + ": its " +
                      (chosen_.variant.empty() ? kPlainVariant : chosen_.variant) + " ones are used");
  }
  if (!names_.adapters.empty()) {
    std::vector<std::string> names;
    for (const std::string& name : names_.adapters) names.push_back(shown(name));
    const bool is_one = names.size() == 1;
    remarks.push_back(where_ + ": " + std::to_string(names.size()) + " tensor" + (is_one ? "" : "s") +
                      " of an adapter (" + std::string(adapter_of(names_.adapters.front())) + ")" +
                      (is_one ? " is" : " are") +
                      " not used: " + common::listed(common::first_of(names), "and") +
                      "; to have it in the pictures, fuse it with diffusers (fuse_lora) before you save");
  }
  return remarks;
}

std::shared_ptr<const SafetensorsSource> open_component(const std::filesystem::path& model,
                                                        const std::string& component,
                                                        const std::string& variant,
                                                        const ComponentFiles& files) {
  const auto file = files.find(component);
  if (file != files.end()) return std::make_shared<SafetensorsSource>(file->second);
  return std::make_shared<SafetensorsSource>(model / component, weight_file_stem(component), variant);
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, at::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::map<std::string, TensorToWrite> entries;
  for (const auto& [name, tensor] : tensors) entries[name] = {tensor.scalar_type(), tensor.sizes().vec()};
  SafetensorsWriter writer(path, entries, metadata);
  for (const auto& [name, tensor] : tensors) writer.put(name, tensor);
  writer.commit();
}

}  // namespace layerpipe::model
