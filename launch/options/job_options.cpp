#include "launch/options/job_options.h"

#include "launch/options/option_values.h"
#include "session/job_fields.h"

namespace layerpipe::launch {

void add_job_option(const OptionGroup& group, std::string_view field, const std::string& help) {
  const session::JobField& described = session::job_field(field);
  const std::string option = session::option_of(described);
  const std::string& text = help.empty() ? described.help : help;
  if (std::holds_alternative<session::FlagField>(described.value)) {
    group.add_flag(option, text);
    return;
  }
  const bool is_list = std::holds_alternative<session::PathsField>(described.value);
  const AddedOption added = is_list ? group.add_list(option, described.value_name, text)
                                    : group.add(option, described.value_name, text);
  const std::string otherwise = session::default_text(described);
  if (!otherwise.empty()) added.default_text(otherwise);
}

session::Job read_job(const OptionValues& values) {
  session::Job job;
  for (const session::JobField& field : session::job_fields()) {
    const std::string option = session::option_of(field);
    if (values.has(option) && values.given(option))
      session::set_from_texts(job, field, values.texts(option), values.remedy());
  }
  return job;
}

}  // namespace layerpipe::launch
