// One thing to make, as a value: what the command line, run.json and the texts of pictures all become. What
// it is made on (the model, devices, precision) is session/settings.h. Without LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/formats.h"
#include "results/json_reader.h"
#include "results/run_record.h"

namespace layerpipe::session {

// Defaults are those of the command-line contract. session/job_fields.h describes every member but once.
struct Job {
  std::string command = "decompose";
  std::vector<std::filesystem::path> images;
  std::string prompt;
  std::int64_t layers = 4;
  std::int64_t resolution = 640;
  bool any_resolution = false;
  std::int64_t steps = 50;
  std::int64_t num_images = 1;  // results of each picture
  std::uint64_t seed = 777;     // of the first result; those of the others count up
  std::string seed_device = "cpu";
  std::string negative_prompt = " ";
  double cfg_scale = 4.0;
  bool cfg_normalize = false;
  bool no_cfg = false;
  std::vector<results::Format> formats{results::Format::kPng};  // in the order of kFormats
  bool drop_empty = false;
  bool original_size = false;
  std::optional<std::filesystem::path> init_latents;
  bool random_weights = false;

  bool operator==(const Job&) const = default;
};

// One line of JSON, every member with its value; what is not given (init_latents) is left out. A path may
// hold bytes that are not UTF-8; they become U+FFFD.
std::string to_json(const Job& job);

// The part that decides the pixels of the pictures, for their texts: not the formats of documents, and of
// paths the last part alone, since pictures are handed on.
std::string deciding_json(const Job& job);

// Reads what to_json wrote, or a person: only "image" has to be there. Throws InputError that names the key
// and what was expected, for an unknown key as well. What concerns several members is left to check_job().
Job from_json(const results::JsonReader& json);

// The same for the "job" of a run.json, which messages call `name`; `remedy` goes into every one.
Job job_of_run(const std::string& job_json, const std::string& name, const std::string& remedy);

// The job that the options of a run.json tell of which was written before these had one. Options that are
// none of a job are passed over. Throws InputError that names the option.
Job job_of_options(std::span<const results::RecordedOption> options);

// The job that makes result `index` alone, one of images × num_images.
Job job_of_result(const Job& job, std::size_t index);

// Throws InputError when the job makes several results: latents are read and written for one.
void check_for_one_result(const Job& job);

// Throws InputError unless the model was trained at the resolution, or any is allowed and it is a multiple.
void check_resolution(const Job& job);

// Checks what concerns several members, or is more than a range. Throws InputError.
void check_job(const Job& job);

}  // namespace layerpipe::session
