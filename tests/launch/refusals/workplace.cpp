#include "tests/launch/refusals/workplace.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/files.h"
#include "tests/support/test_data.h"

namespace layerpipe::testing {
namespace {

namespace fs = std::filesystem;

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

Workplace::Workplace() {
  const fs::path parity = test_data() / "parity" / "plain";
  fs::copy(parity / "model", model(), fs::copy_options::recursive);
  fs::copy_file(parity / "input.png", picture());
  arguments_ = {"decompose", "--model",  model(), "--image",      picture(), "--prompt",
                "a fox",     "--out",    out(),   "--steps",      "2",       "--layers",
                "2",         "--device", "cpu",   "--resolution", "64",      "--any-resolution"};
}

void Workplace::add(const std::vector<std::string>& words) {
  arguments_.insert(arguments_.end(), words.begin(), words.end());
}

void Workplace::set(const std::string& option, const std::string& value) {
  const auto found = std::find(arguments_.begin(), arguments_.end(), option);
  if (found == arguments_.end()) return add({option, value});
  *(found + 1) = value;
}

void Workplace::remove(const std::string& option) {
  const auto found = std::find(arguments_.begin(), arguments_.end(), option);
  if (found == arguments_.end()) throw std::logic_error(option + " is not there to be removed");
  arguments_.erase(found, found + 2);
}

void Workplace::write(const std::string& name, std::string_view content) const {
  fs::create_directories((folder() / name).parent_path());
  common::write_file_atomically(folder() / name, content);
}

void Workplace::copy_here(const std::string& name, const std::string& fixture) const {
  fs::copy_file(test_data() / fixture, folder() / name, fs::copy_options::overwrite_existing);
}

void Workplace::remove_file(const std::string& name) const {
  if (!fs::remove(folder() / name)) throw std::logic_error(name + " is not there to be removed");
}

void Workplace::cut(const std::string& name, std::size_t bytes) const {
  fs::resize_file(folder() / name, bytes);
}

void Workplace::patch_json(const std::string& name, const std::string& patch) const {
  auto json = nlohmann::json::parse(common::read_text_file(folder() / name));
  json.merge_patch(nlohmann::json::parse(patch));
  write(name, json.dump(2));
}

void Workplace::hold(const std::string& name, const std::string& holder) {
  const std::string file = name + "/.layerpipe.lock";
  write(file, holder + "\n");
  const int descriptor = ::open((folder() / file).c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    throw std::logic_error(file + " cannot be locked");
  held_.emplace_back(nullptr, [descriptor](void*) { ::close(descriptor); });
}

std::map<std::string, std::string> Workplace::files() const {
  std::map<std::string, std::string> contents;
  for (const std::string& name : files_below(folder())) {
    contents[name] = common::read_text_file(folder() / name);
  }
  return contents;
}

std::string Workplace::without_paths(std::string text) const {
  replace_all(text, model(), "MODEL");
  replace_all(text, picture(), "PICTURE");
  replace_all(text, out(), "OUT");
  replace_all(text, folder(), "FOLDER");
  replace_all(text, long_name(), "NAME");
  return text;
}

}  // namespace layerpipe::testing
