#include "launch/keeper/run_keeper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <system_error>

#include "common/errors.h"
#include "common/visible.h"
#include "launch/keeper/process.h"
#include "launch/keeper/run_folder.h"
#include "launch/keeper/watcher.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using common::ExitCode;

// What mpirun needs to end the ranks in an orderly way when its watcher is gone.
constexpr std::chrono::seconds kEnding = 5s;

std::string list(const std::vector<UnusableFolder>& folders) {
  std::string text;
  for (const UnusableFolder& one : folders)
    text += (text.empty() ? "" : "; ") + one.folder.string() + " " + one.why;
  return text;
}

fs::path make_folder() {
  std::vector<UnusableFolder> passed_over;
  const auto parent = choose_folder(temporary_folders(), kSpaceOfMpirun, passed_over);
  if (!parent) {
    throw common::InputError("mpirun has no folder for its temporary files: " + list(passed_over),
                             "Make room in one of them, or name another folder in TMPDIR.");
  }
  for (const UnusableFolder& one : passed_over) {
    show("==> " + common::visible(one.folder.string()) + " " + one.why +
         ", so mpirun's temporary files go to " + common::visible(parent->string()) + "\n");
  }
  return make_run_folder(*parent);
}

// The watcher's process does not come back.
pid_t start_watcher(const std::vector<std::string>& mpirun, const fs::path& folder, Pipe& pipe) {
  const pid_t watcher = ::fork();
  if (watcher < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (watcher > 0) {
    pipe.read.reset();
    return watcher;
  }
  pipe.write.reset();
  ::setsid();  // the terminal's Ctrl-C is for the front
  int code = static_cast<int>(ExitCode::kInternal);
  try {
    code = watch(mpirun, folder, pipe.read.get());
  } catch (const std::exception& error) {
    say(std::string("mpirun cannot be started: ") + error.what(), "launch/setup.sh installs it.");
    code = static_cast<int>(ExitCode::kInput);
  }
  ::_exit(code);
}

// The watcher is gone: what it would have done is done here.
int end_without_watcher(const ProcessEnd& end, const fs::path& folder, int asked) {
  end_processes_started_with(mark_of(folder), kEnding);
  std::error_code error;
  fs::remove_all(folder, error);
  const fs::path shared = shared_memory_folder(folder);
  if (!shared.empty()) fs::remove_all(shared, error);
  if (asked != 0) {
    say(asked == static_cast<int>(ExitCode::kInterrupted) ? "interrupted" : "terminated", {});
    return asked;
  }
  say("the process that watches over mpirun " + to_string(end) + ", so the run was ended",
      "Look for what ended it, then start again.");
  return static_cast<int>(ExitCode::kPeerFailed);
}

}  // namespace

int keep_run(const std::vector<std::string>& mpirun) {
  SignalQueue signals{SIGINT, SIGTERM, SIGHUP, SIGCHLD};
  std::signal(SIGPIPE, SIG_IGN);  // nobody may be reading what is said
  // Processes whose parent has died come here, so that none is left that nobody waits for.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  try {
    const fs::path folder = make_folder();
    Pipe pipe = make_pipe();
    const pid_t watcher = start_watcher(mpirun, folder, pipe);
    int asked = 0;
    while (true) {
      pollfd ready{.fd = signals.descriptor(), .events = POLLIN, .revents = 0};
      ::poll(&ready, 1, -1);
      while (const auto signal = signals.next()) {
        const auto number = static_cast<int>(signal->ssi_signo);
        if (number == SIGCHLD) continue;
        if (asked == 0)
          asked = static_cast<int>(number == SIGINT ? ExitCode::kInterrupted : ExitCode::kTerminated);
        ::kill(watcher, number);
      }
      const ChildChange change = look_at_child(watcher);
      if (change.is_stopped) ::kill(watcher, SIGCONT);
      if (!change.end) continue;
      return change.end->signal == 0 ? change.end->code : end_without_watcher(*change.end, folder, asked);
    }
  } catch (const common::InputError& error) {
    say(error.what(), error.remedy());
    return static_cast<int>(ExitCode::kInput);
  } catch (const std::exception& error) {
    say(error.what(), "Check that this machine lets processes and files be made in its temporary folder.");
    return static_cast<int>(ExitCode::kInput);
  }
}

}  // namespace layerpipe::launch
