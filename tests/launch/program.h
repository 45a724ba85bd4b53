// Runs the built program as a process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace layerpipe::testing {

// What a finished process left: its exit code (128 + signal when it was killed) and what it wrote.
struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// A running process of the program. Killed when the object goes before wait() was called.
class Program {
 public:
  // stdout and stderr go to files in `scratch`; stdin is empty. `environment` ("NAME=value") is added to that
  // of the test.
  Program(const std::vector<std::string>& arguments, const std::filesystem::path& scratch,
          const std::vector<std::string>& environment = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // What it has written to stderr so far.
  std::string err() const;
  void send(int signal_number) const;
  bool is_running();
  Outcome wait();

 private:
  std::filesystem::path out_;
  std::filesystem::path err_;
  pid_t pid_ = -1;
  int status_ = 0;
};

// What a file below /proc/PID holds; nothing when the process has ended meanwhile.
std::string contents_of_process(const std::filesystem::path& file);

// How many processes have `word` in their command lines: of a run that was given the name of its folder, all
// from launch/run.sh down to the ranks.
int processes_with(const std::string& word);

// Runs the program to its end.
Outcome run_program(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment = {});

// The trained model and a picture of the demo: what runs of the program use unless a test needs another
// shape.
std::filesystem::path demo_model();
std::filesystem::path demo_picture(const std::string& name = "weather");

// A random model of a hundredth of its size, for tests that change its files or know its tensors.
std::filesystem::path small_model();

// The arguments of a short run with the demo's model and picture.
std::vector<std::string> decompose_arguments(const std::filesystem::path& out,
                                             const std::vector<std::string>& more = {});

// The names of all files below a folder, sorted.
std::vector<std::string> files_below(const std::filesystem::path& folder);

}  // namespace layerpipe::testing
