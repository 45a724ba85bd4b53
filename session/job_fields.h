// The table of what a job consists of: each option that says what to make is described here, once, for the
// command line, for JSON and for run.json.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "session/job.h"

namespace layerpipe::session {

// Which member of Job a field is, and what it may hold.
struct TextField {
  std::string Job::*member;
};
struct ChoiceField {
  std::string Job::*member;
  std::vector<std::string> choices;
};
struct FlagField {
  bool Job::*member;
};
struct WholeField {
  std::int64_t Job::*member;
  std::int64_t least;
  std::int64_t most;
};
struct SeedField {
  std::uint64_t Job::*member;
};
struct NumberField {
  double Job::*member;
  double least;
  double most;
};
struct PathField {
  std::optional<std::filesystem::path> Job::*member;
};
struct PathsField {
  std::vector<std::filesystem::path> Job::*member;
};
struct FormatsField {
  std::vector<results::Format> Job::*member;
};

// Whether a field decides the pixels of the pictures, or only which files are made.
enum class Decides { kPixels, kFiles };

struct JobField {
  std::string name;  // the key in JSON, and with dashes for its underscores the option
  std::variant<TextField, ChoiceField, FlagField, WholeField, SeedField, NumberField, PathField, PathsField,
               FormatsField>
      value;
  Decides decides = Decides::kPixels;
  std::string value_name;  // what the help calls its value; empty for a flag
  std::string help;
};

// In the order in which they are written and read.
const std::vector<JobField>& job_fields();

// Throws InternalError when there is none of that name.
const JobField& job_field(std::string_view name);

// "--negative-prompt"
std::string option_of(const JobField& field);

// Sets the field from the values of its option; of a flag "true" or "false". `remedy` says where a person
// finds what the option takes. Throws InputError that names the option.
void set_from_texts(Job& job, const JobField& field, const std::vector<std::string>& texts,
                    const std::string& remedy);

// What an option without a value of its own has taken; empty when there is no such value.
std::string default_text(const JobField& field);

}  // namespace layerpipe::session
