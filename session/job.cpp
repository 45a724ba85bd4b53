#include "session/job.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/spelling.h"
#include "runtime/request/limits.h"
#include "session/job_fields.h"
#include "session/option_text.h"

namespace layerpipe::session {
namespace {

using Json = nlohmann::ordered_json;
using results::JsonReader;

constexpr std::size_t kMostPictures = 100000;

enum class Paths { kWhole, kLastPart };

// A member of a job as JSON, by its kind; null when there is none.
struct ToJson {
  const Job& job;
  Paths paths;

  std::string text_of(const std::filesystem::path& path) const {
    return paths == Paths::kWhole ? path.string() : results::last_part(path.string());
  }

  Json operator()(const TextField& field) const { return job.*field.member; }
  Json operator()(const ChoiceField& field) const { return job.*field.member; }
  Json operator()(const FlagField& field) const { return job.*field.member; }
  Json operator()(const WholeField& field) const { return job.*field.member; }
  Json operator()(const SeedField& field) const { return job.*field.member; }
  Json operator()(const NumberField& field) const { return job.*field.member; }
  Json operator()(const PathField& field) const {
    const auto& path = job.*field.member;
    return path ? Json(text_of(*path)) : Json();
  }
  Json operator()(const PathsField& field) const {
    Json texts = Json::array();
    for (const auto& path : job.*field.member) texts.push_back(text_of(path));
    return texts.size() == 1 ? texts[0] : texts;
  }
  Json operator()(const FormatsField& field) const {
    std::vector<std::string> words;
    for (const results::Format format : job.*field.member) words.emplace_back(to_string(format));
    return fmt::format("{}", fmt::join(words, ","));
  }
};

// Sets a member of a job from JSON, by its kind.
struct FromJson {
  Job& job;
  const JsonReader& json;

  static std::filesystem::path path_of(const JsonReader& json) {
    std::string text = json.text();
    if (text.empty()) json.complain("is empty");
    return text;
  }

  void operator()(const TextField& field) const { job.*field.member = json.text(); }
  void operator()(const ChoiceField& field) const {
    const std::string text = json.text();
    if (std::find(field.choices.begin(), field.choices.end(), text) == field.choices.end()) {
      json.refuse(fmt::format("{}", fmt::join(field.choices, " or ")));
    }
    job.*field.member = text;
  }
  void operator()(const FlagField& field) const { job.*field.member = json.flag(); }
  void operator()(const WholeField& field) const { job.*field.member = json.whole(field.least, field.most); }
  void operator()(const SeedField& field) const { job.*field.member = json.count(); }
  void operator()(const NumberField& field) const {
    const double number = json.number();
    if (number < field.least || number > field.most)
      json.refuse(fmt::format("a number from {} to {}", field.least, field.most));
    job.*field.member = number;
  }
  void operator()(const PathField& field) const { job.*field.member = path_of(json); }
  void operator()(const PathsField& field) const {
    std::vector<std::filesystem::path>& paths = job.*field.member;
    paths.clear();
    if (!json.is_array()) {
      paths.push_back(path_of(json));
      return;
    }
    for (const JsonReader& item : json.items(kMostPictures)) paths.push_back(path_of(item));
    if (paths.empty()) json.complain("is empty");
  }
  void operator()(const FormatsField& field) const {
    const std::string option;
    const std::string remedy;
    const std::string text = json.text();
    try {
      job.*field.member = read_formats({option, text, remedy}, results::kFormats);
    } catch (const common::InputError&) {
      json.refuse(
          fmt::format("{}, or several with commas between them", results::list_of(results::kFormats)));
    }
  }
};

template <typename Takes>
std::string json_of(const Job& job, Paths paths, Takes takes) {
  Json json = Json::object();
  for (const JobField& field : job_fields()) {
    if (!takes(field)) continue;
    Json value = std::visit(ToJson{job, paths}, field.value);
    if (!value.is_null()) json[field.name] = std::move(value);
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[noreturn]] void refuse_key(const std::string& key, const JsonReader& value) {
  std::vector<std::string> names;
  for (const JobField& field : job_fields()) names.push_back(field.name);
  const auto guess = common::nearest(key, names);
  value.complain(guess ? "is no key of a job; did you mean " + *guess + "?" : "is no key of a job");
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

}  // namespace

std::string to_json(const Job& job) {
  return json_of(job, Paths::kWhole, [](const JobField&) { return true; });
}

std::string deciding_json(const Job& job) {
  return json_of(job, Paths::kLastPart,
                 [](const JobField& field) { return field.decides == Decides::kPixels; });
}

Job from_json(const JsonReader& json) {
  Job job;
  for (const auto& [key, value] : json.members()) {
    const auto& fields = job_fields();
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&, &name = key](const JobField& one) { return one.name == name; });
    if (field == fields.end()) refuse_key(key, value);
    std::visit(FromJson{job, value}, field->value);
  }
  if (job.images.empty()) json.at("image");  // says that it is missing
  return job;
}

Job job_of_run(const std::string& job_json, const std::string& name, const std::string& remedy) {
  // Messages say where it stands in the file.
  const JsonReader::Json whole{{"job", JsonReader::parse(job_json, name, remedy)}};
  return from_json(JsonReader(whole, name, remedy).at("job"));
}

Job job_of_options(std::span<const results::RecordedOption> options) {
  const std::string remedy;
  Job job;
  for (const JobField& field : job_fields()) {
    const std::string option = option_of(field);
    const auto recorded = std::find_if(options.begin(), options.end(),
                                       [&](const auto& one) { return "--" + one.name == option; });
    if (recorded == options.end()) continue;
    // A path that was not given stands there as an empty text.
    const bool is_path = std::holds_alternative<PathField>(field.value);
    if (is_path && recorded->values.front().empty()) continue;
    set_from_texts(job, field, recorded->values, remedy);
  }
  return job;
}

Job job_of_result(const Job& job, std::size_t index) {
  const auto each = static_cast<std::size_t>(job.num_images);
  Job one = job;
  one.images = {job.images.at(index / each)};
  one.seed = job.seed + index % each;
  one.num_images = 1;
  return one;
}

void check_for_one_result(const Job& job) {
  if (job.images.size() == 1 && job.num_images == 1) return;
  throw common::InputError("--init-latents and --dump-latents are for one result",
                           "Give one --image and leave --num-images at 1.");
}

void check_resolution(const Job& job) {
  const std::int64_t resolution = job.resolution;
  if (!job.any_resolution && resolution != 640 && resolution != 1024) {
    throw common::InputError(
        fmt::format("--resolution {} is not one that the model was trained at", resolution),
        "Take 640 or 1024, or add --any-resolution.");
  }
  if (resolution % runtime::kResolutionMultiple != 0) {
    throw common::InputError(
        fmt::format("--resolution {} is not a multiple of {}", resolution, runtime::kResolutionMultiple),
        fmt::format("Take {}.", resolution / runtime::kResolutionMultiple * runtime::kResolutionMultiple));
  }
}

void check_job(const Job& job) {
  results::check_built(job.formats);
  if (job.drop_empty && !results::has_documents(job.formats)) {
    throw common::InputError("--drop-empty has no effect on PNG files, which keep their numbers",
                             "Leave it out, or add a document: --format png,psd.");
  }
  if (is_blank(job.prompt)) {
    throw common::InputError("--prompt is missing: this version of layerpipe does not caption pictures",
                             "Describe the picture in a sentence: --prompt \"a red kite over the sea\".");
  }
  check_resolution(job);
  const auto last = static_cast<std::uint64_t>(job.num_images - 1);
  if (job.seed > std::numeric_limits<std::uint64_t>::max() - last) {
    throw common::InputError(fmt::format("--seed {} leaves no room for {} results, whose seeds count up",
                                         job.seed, job.num_images),
                             "Take a smaller --seed.");
  }
  if (job.init_latents) check_for_one_result(job);
}

}  // namespace layerpipe::session
