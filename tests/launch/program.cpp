#include "tests/launch/program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "tests/support/test_data.h"

namespace layerpipe::testing {
namespace {

// `name`'s value in the environment with `more` options of a sanitizer behind it. A sanitizer would end the
// program where memory runs out, and where it finds tests/launch/refusals/small_machine.cpp before its own
// library.
std::string sanitizer_options(const char* name, const std::string& more) {
  const char* value = std::getenv(name);
  return std::string(name) + "=" + (value == nullptr ? "" : value + std::string(":")) + more;
}

// This process's environment with `changes` ("NAME=value") made to it.
std::vector<std::string> changed_environment(std::vector<std::string> changes) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) entries.emplace_back(*entry);
  changes.push_back(
      sanitizer_options("ASAN_OPTIONS", "allocator_may_return_null=1:verify_asan_link_order=0"));
  changes.push_back(sanitizer_options("TSAN_OPTIONS", "allocator_may_return_null=1"));
  for (const std::string& change : changes) {
    const std::string name = change.substr(0, change.find('=') + 1);
    std::erase_if(entries, [&](const std::string& entry) { return entry.starts_with(name); });
    entries.push_back(change);
  }
  return entries;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What a file holds that a process may still write to; nothing where there is no such file. common::InputFile
// refuses what changes while it is read.
std::string written_so_far(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const std::filesystem::path& scratch,
                 const std::vector<std::string>& environment)
    : out_(scratch / "stdout"), err_(scratch / "stderr") {
  const std::string program = LAYERPIPE_PROGRAM;
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  const std::vector<char*> argv = pointers_to(words);
  std::vector<std::string> entries = changed_environment(environment);
  const std::vector<char*> envp = pointers_to(entries);

  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out_.c_str(), kWrite, 0600);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err_.c_str(), kWrite, 0600);
  const int error = ::posix_spawn(&pid_, program.c_str(), &files, nullptr, argv.data(), envp.data());
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::system_error(error, std::generic_category(), program);
}

Program::~Program() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
}

std::string Program::err() const {
  return written_so_far(err_);
}

void Program::send(int signal_number) const {
  ::kill(pid_, signal_number);
}

bool Program::is_running() {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

Outcome Program::wait() {
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return {exit_code_of(status_), written_so_far(out_), written_so_far(err_)};
}

std::string contents_of_process(const std::filesystem::path& file) {
  try {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  } catch (const std::ios_base::failure&) {
    return {};
  }
}

int processes_with(const std::string& word) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (contents_of_process(entry.path() / "cmdline").find(word) != std::string::npos) ++count;
  }
  return count;
}

Outcome run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  const TemporaryFolder scratch;
  return Program(arguments, scratch.path(), environment).wait();
}

std::filesystem::path small_model() {
  return test_data() / "parity" / "plain" / "model";
}

std::filesystem::path demo_model() {
  return std::filesystem::path(LAYERPIPE_DEMO) / "model";
}

std::filesystem::path demo_picture(const std::string& name) {
  return std::filesystem::path(LAYERPIPE_DEMO) / "pictures" / (name + ".png");
}

std::vector<std::string> decompose_arguments(const std::filesystem::path& out,
                                             const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"decompose", "--model",          demo_model(), "--out", out,
                                     "--image",   demo_picture(),     "--device",   "cpu",   "--resolution",
                                     "64",        "--any-resolution", "--steps",    "2",     "--layers",
                                     "2",         "--prompt",         "a poster"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<std::string> files_below(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) files.push_back(entry.path().lexically_relative(folder));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace layerpipe::testing
