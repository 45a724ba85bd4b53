// A command of the program as a value. launch/commands/commands.h has the table of all: a new command is a
// file there and a line in that table.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

namespace CLI {
class App;
}
namespace layerpipe::comm {
class Communicator;
}

namespace layerpipe::launch {

// What a command runs with.
struct CommandContext {
  comm::Communicator* communicator;  // of all ranks; null for a command that rank 0 carries out alone
  const std::atomic<bool>& stop_requested;
  std::ostream& out;   // stdout, which is flushed afterwards
  std::string& doing;  // what is being done, for messages about a failure (session/exit_report.h)
};

// Whether a command keeps the processor busy for long: then the threads of OpenMP sleep while they wait.
enum class Load { kLight, kComputing };

// A command whose options have been read.
struct PreparedCommand {
  // How long ranks that meet for this command wait for each other; none when rank 0 carries it out alone.
  std::optional<std::chrono::milliseconds> timeout_of_ranks;
  Load load = Load::kLight;
  // Throws the errors of common/errors.h.
  std::function<void(const CommandContext&)> run;
};

struct Command {
  std::string name;  // "decompose"
  std::string help;  // what it does, as the list of commands says it
  std::function<void(CLI::App&)> add_options;
  // Reads the options after they were parsed. Throws InputError that names the option.
  std::function<PreparedCommand(const CLI::App&)> read;
};

}  // namespace layerpipe::launch
