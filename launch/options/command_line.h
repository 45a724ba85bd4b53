// From the words of the command line to the command that they ask for.
#pragma once

#include <span>

#include "launch/options/command.h"

namespace layerpipe::launch {

// `argv` as main gets it. --help and --version become a command that writes their text. Throws InputError:
// one line that names the option or the command, and as its remedy where to look. Of the disk, only the file
// of
// --partition is looked at.
PreparedCommand parse_command_line(int argc, const char* const* argv, std::span<const Command> commands);

}  // namespace layerpipe::launch
