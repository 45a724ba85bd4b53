#include "results/placement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <system_error>

#include "common/descriptor.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/part_folder.h"
#include "results/documents.h"
#include "results/json_reader.h"
#include "results/output_path.h"

namespace layerpipe::results {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kNoteName = "placement.json";
constexpr std::size_t kMostFiles = 1'000'000;
constexpr std::uint64_t kLargestNote = 256 << 20;

bool is_report(const fs::path& name) {
  return name.filename() == kReportName;
}

Json content_json(const FileContent& content) {
  return {{"bytes", content.bytes}, {"hash", content.hash}};
}

std::string note_of(const Placement& placement) {
  Json note{{"place", Json::array()}, {"remove", Json::array()}};
  for (const auto& [name, over] : placement.place) {
    Json file{{"name", name.string()}};
    if (over) file["over"] = content_json(*over);
    note["place"].push_back(std::move(file));
  }
  for (const auto& [name, content] : placement.remove) {
    Json file{{"name", name.string()}};
    file.update(content_json(content));
    note["remove"].push_back(std::move(file));
  }
  // Names of files may hold bytes that are not UTF-8; ours, which are all that there are, do not.
  return note.dump(2) + "\n";
}

FileContent read_content(const JsonReader& json) {
  return {.bytes = json.at("bytes").count(), .hash = json.at("hash").text()};
}

// A name that stays within the folder.
fs::path read_name(const JsonReader& json) {
  const fs::path name = json.at("name").text();
  const auto is_step = [](const fs::path& part) { return part == ".." || part == "." || part.empty(); };
  if (name.empty() || name.is_absolute() || std::any_of(name.begin(), name.end(), is_step))
    json.at("name").refuse("the name of a file in the folder");
  return name;
}

Placement read_note(const fs::path& file, const std::string& remedy) {
  const std::string name = file.string();
  const JsonReader::Json whole = JsonReader::parse(common::read_text_file(file, kLargestNote), name, remedy);
  const JsonReader json(whole, name, remedy);
  Placement placement;
  for (const JsonReader& one : json.at("place").items(kMostFiles)) {
    const auto over = one.find("over");
    placement.place[read_name(one)] = over ? std::optional(read_content(*over)) : std::nullopt;
  }
  for (const JsonReader& one : json.at("remove").items(kMostFiles))
    placement.remove[read_name(one)] = read_content(one);
  return placement;
}

// A folder may have been received: what it holds says what is moved, and must not say so of other folders.
// Names that lead on through a link do.
void check_leads_nowhere(const fs::path& name, const fs::path& folder, const fs::path& staging,
                         const std::string& remedy) {
  fs::path part;
  for (const fs::path& step : name.parent_path()) {
    part /= step;
    for (const fs::path& whole : {folder, staging}) {
      std::error_code error;
      if (!fs::is_symlink(whole / part, error)) continue;
      throw common::InputError(
          fmt::format("{} is a link, so what is put in its place there would lie elsewhere",
                      (whole / part).string()),
          remedy);
    }
  }
}

// The names of files reach the disk, as their contents have.
void sync(const fs::path& folder) {
  const common::Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0) throw common::output_error(folder, errno);
  // Some file systems of networks cannot do it for folders.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) throw common::output_error(folder, errno);
}

void sync_all(const fs::path& folder, const std::set<fs::path>& parts) {
  for (const fs::path& part : parts) {
    if (is_there(folder / part)) sync(folder / part);
  }
}

void remove_file(const fs::path& file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) throw common::output_error(file, errno);
}

void put_in_place(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  if (::rename(from.c_str(), to.c_str()) != 0) throw common::output_error(to, errno);
}

void move_all(const Placement& placement, const fs::path& folder, const fs::path& staging,
              KnownContents& contents) {
  const auto is_as_noted = [&](const fs::path& name, const FileContent& content) {
    return contents.of(folder / name) == content;
  };
  // Without its run.json nobody takes what is there for a finished result.
  const auto remove = [&](bool of_reports) {
    for (const auto& [name, content] : placement.remove) {
      if (is_report(name) == of_reports && is_as_noted(name, content)) remove_file(folder / name);
    }
  };
  remove(true);
  for (const auto& [name, over] : placement.place) {
    if (is_report(name) && over && is_there(staging / name) && is_as_noted(name, *over))
      remove_file(folder / name);
  }
  remove(false);
  for (const bool of_reports : {false, true}) {
    for (const auto& [name, over] : placement.place) {
      if (is_report(name) == of_reports && is_there(staging / name))
        put_in_place(staging / name, folder / name);
    }
  }
}

}  // namespace

void carry_out(const Placement& placement, const fs::path& folder, const fs::path& staging,
               KnownContents& contents) {
  std::set<fs::path> parts{""};
  std::set<fs::path> left;
  for (const auto& [name, over] : placement.place) parts.insert(name.parent_path());
  for (const auto& [name, content] : placement.remove) left.insert(name.parent_path());
  sync_all(staging, parts);
  common::write_file_atomically(staging / kNoteName, note_of(placement));
  sync(staging);
  move_all(placement, folder, staging, contents);
  parts.insert(left.begin(), left.end());
  sync_all(folder, parts);
  std::error_code error;
  for (const fs::path& part : left) {
    if (!part.empty()) fs::remove(folder / part, error);  // while nothing else lies there
  }
  remove_file(staging / kNoteName);
  fs::remove_all(staging, error);
}

bool is_begun(const fs::path& staging) {
  std::error_code error;
  return fs::is_directory(fs::symlink_status(staging, error)) &&
         fs::is_regular_file(fs::symlink_status(staging / kNoteName, error));
}

std::vector<fs::path> begun_placements(const fs::path& folder) {
  std::vector<fs::path> begun;
  for (const fs::path& part : common::parts_in(folder)) {
    if (is_begun(part)) begun.push_back(part);
  }
  return begun;
}

void end_placement(const fs::path& folder, const fs::path& staging, KnownContents& contents) {
  const std::string remedy = fmt::format(
      "A run was killed while it put its results in their places; they lie in {}. Move them, or what is in "
      "their way.",
      staging.string());
  const Placement placement = read_note(staging / kNoteName, remedy);
  for (const auto& [name, over] : placement.place) check_leads_nowhere(name, folder, staging, remedy);
  for (const auto& [name, content] : placement.remove) check_leads_nowhere(name, folder, staging, remedy);
  for (const auto& [name, over] : placement.place) {
    if (!is_there(staging / name) || !is_there(folder / name)) continue;
    const auto now = contents.of(folder / name);
    if (now && (now == over || now == contents.of(staging / name))) continue;
    throw common::InputError(fmt::format("{} has changed since", (folder / name).string()), remedy);
  }
  carry_out(placement, folder, staging, contents);
}

}  // namespace layerpipe::results
