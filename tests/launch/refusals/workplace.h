// A folder with everything for a run of the program that works: a copy of the small model, a picture, and the
// arguments. Cases spoil one thing in it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/launch/program.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::testing {

// Longer than a file system takes.
inline std::string long_name() {
  return std::string(300, 'x');
}

class Workplace {
 public:
  Workplace();

  std::filesystem::path folder() const { return folder_.path(); }
  std::filesystem::path model() const { return folder() / "model"; }
  std::filesystem::path picture() const { return folder() / "picture.png"; }
  std::filesystem::path out() const { return folder() / "out"; }

  // The arguments, `decompose` in front.
  void use(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
  void add(const std::vector<std::string>& words);
  void set(const std::string& option, const std::string& value);  // in place of its value, or added
  void remove(const std::string& option);                         // with its value
  const std::vector<std::string>& arguments() const { return arguments_; }
  void set_environment(const std::string& entry) { environment_.push_back(entry); }  // "NAME=value"
  // Another process that writes results into a folder, as long as the workplace is there.
  void hold(const std::string& name, const std::string& holder);

  // Changes of files; names are relative to the workplace ("model/vae/config.json").
  void write(const std::string& name, std::string_view content) const;
  void copy_here(const std::string& name, const std::string& fixture) const;  // from tests/data
  void remove_file(const std::string& name) const;
  void cut(const std::string& name, std::size_t bytes) const;
  void patch_json(const std::string& name, const std::string& patch) const;  // RFC 7386

  Outcome run() const { return run_program(arguments_, environment_); }

  // Every file's content by its name, to see that nothing changed.
  std::map<std::string, std::string> files() const;
  // `text` with MODEL, OUT, PICTURE and FOLDER for the paths, and NAME for long_name().
  std::string without_paths(std::string text) const;

 private:
  TemporaryFolder folder_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<std::shared_ptr<void>> held_;
};

}  // namespace layerpipe::testing
