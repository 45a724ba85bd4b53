#include "launch/commands/commands.h"

#include "launch/commands/decompose_command.h"
#include "launch/commands/export_command.h"
#include "launch/commands/inspect_command.h"
#include "launch/commands/merge_command.h"
#include "launch/commands/plan_command.h"
#include "launch/commands/quantize_command.h"
#include "launch/commands/report_command.h"
#include "launch/commands/rerun_command.h"

namespace layerpipe::launch {

std::vector<Command> all_commands() {
  return {decompose_command(), plan_command(),     export_command(), merge_command(),
          inspect_command(),   quantize_command(), report_command(), rerun_command()};
}

}  // namespace layerpipe::launch
