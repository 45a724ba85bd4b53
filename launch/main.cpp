// The program: parses the command line, runs a command, turns an error into a message and an exit code.

#include <c10/util/Exception.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "common/errors.h"
#include "launch/decompose_command.h"
#include "launch/inspect_command.h"

namespace {

using layerpipe::common::ExitCode;

// What a signal handler can reach: globals are all there is.
std::atomic<bool> stop_requested{false};
std::atomic<int> stop_signal{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void request_stop(int signal_number) {
  stop_signal.store(signal_number);
  stop_requested.store(true);
  std::signal(signal_number, SIG_DFL);  // a second Ctrl-C ends the program at once
}

// Makes OpenMP's threads sleep while they wait instead of spinning: beside other busy processes, spinning
// made a run twenty times slower (docs/decisions.md). The OpenMP library reads its settings when it is
// loaded, before main, so the program starts itself again with the setting in place.
void prefer_sleeping_threads(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/1);
  ::execv("/proc/self/exe", argv);  // comes back only when it failed; then spinning is all that is lost
}

void print_error(const std::string& what, const std::string& remedy) {
  std::cerr << "layerpipe: " << what << '\n';
  if (!remedy.empty()) std::cerr << "  " << remedy << '\n';
}

// Runs the command that was asked for. Throws.
void run(int argc, char** argv) {
  CLI::App app("Takes a picture apart into RGBA layers with Qwen-Image-Layered.", "layerpipe");
  app.set_version_flag("--version", "layerpipe " LAYERPIPE_VERSION);
  app.require_subcommand(1);

  layerpipe::launch::DecomposeOptions decompose_options;
  CLI::App* decompose = app.add_subcommand("decompose", "Take a picture apart into layers");
  layerpipe::launch::add_decompose_options(*decompose, decompose_options);

  std::string model;
  bool as_json = false;
  CLI::App* inspect = app.add_subcommand("inspect", "Show what a model folder holds");
  inspect->add_option("--model", model, "Model folder in diffusers layout")->required();
  inspect->add_flag("--json", as_json, "Print JSON instead of a table");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);  // help or version, which were asked for
    return;
  } catch (const CLI::ParseError& error) {
    throw layerpipe::common::InputError(error.what(), "See layerpipe --help, or layerpipe decompose --help.");
  }
  if (decompose->parsed()) {
    prefer_sleeping_threads(argv);
    layerpipe::launch::run_decompose(decompose_options, layerpipe::launch::record_options(*decompose),
                                     stop_requested);
  } else {
    layerpipe::launch::run_inspect(
        model, as_json ? layerpipe::launch::InspectFormat::kJson : layerpipe::launch::InspectFormat::kTable,
        std::cout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  ExitCode code = ExitCode::kDone;
  try {
    run(argc, argv);
  } catch (const layerpipe::common::InterruptedError& error) {
    const bool terminated = stop_signal.load() == SIGTERM;
    print_error(terminated ? "terminated" : error.what(), error.remedy());
    code = terminated ? ExitCode::kTerminated : error.exit_code();
  } catch (const layerpipe::common::Error& error) {
    print_error(error.what(), error.remedy());
    code = error.exit_code();
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(error.what(), "Check the paths that were given.");
    code = ExitCode::kInput;
  } catch (const c10::OutOfMemoryError& error) {
    print_error(std::string("the device has not enough memory: ") + error.what_without_backtrace(),
                "Try a smaller --resolution, fewer --layers or --dtype bf16.");
    code = ExitCode::kDoesNotFit;
  } catch (const std::bad_alloc&) {
    print_error("the machine has not enough memory",
                "Try a smaller --resolution, fewer --layers or --dtype bf16.");
    code = ExitCode::kDoesNotFit;
  } catch (const c10::Error& error) {
    print_error(std::string("LibTorch failed: ") + error.what_without_backtrace(), {});
    code = ExitCode::kInternal;
  } catch (const std::exception& error) {
    print_error(error.what(), {});
    code = ExitCode::kInternal;
  }
  return static_cast<int>(code);
}
