// The options that say what to make: each is a field of session::Job (session/job_fields.h).
#pragma once

#include <string>
#include <string_view>

#include "session/job.h"

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

// Adds the option of a field, with a help of the command's own where it means something else there.
void add_job_option(const OptionGroup& group, std::string_view field, const std::string& help = {});

// Reads every field that the command has an option for. Throws InputError naming the option.
session::Job read_job(const OptionValues& values);

}  // namespace layerpipe::launch
