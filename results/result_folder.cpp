#include "results/result_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "common/errors.h"
#include "common/files.h"
#include "common/part_folder.h"
#include "results/output_path.h"
#include "results/placement.h"

namespace layerpipe::results {
namespace {

namespace fs = std::filesystem;

void make_folder(const ResultFolder::Request& request, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!is_folder(folder)) {
    throw common::InputError(fmt::format("{} {} cannot be made a folder{}", request.option, folder.string(),
                                         error ? ": " + error.message() : std::string()),
                             request.elsewhere + ".");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw common::InputError(fmt::format("{} {} may not be written", request.option, folder.string()),
                             request.elsewhere + ".");
  }
}

// Files are moved there from `folder`.
void check_same_disk(const ResultFolder::Request& request, const fs::path& part) {
  const fs::path& folder = request.question.folder;
  struct stat whole {};
  struct stat its_part {};
  if (::stat(folder.c_str(), &whole) != 0 || ::stat(part.c_str(), &its_part) != 0) return;
  if (whole.st_dev == its_part.st_dev) return;
  throw common::InputError(fmt::format("{} {}: {} lies on another disk", request.option, folder.string(),
                                       part.filename().string()),
                           request.elsewhere + ".");
}

// Takes away what killed writers have left, once it is known that nobody writes there.
void tidy(const fs::path& folder, KnownContents& contents) {
  for (const fs::path& staging : begun_placements(folder)) end_placement(folder, staging, contents);
  common::remove_parts(folder);
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

ResultFolder::ResultFolder(Request request) : request_(std::move(request)), contents_(request_.moved) {
  const fs::path& folder = request_.question.folder;
  make_folder(request_, folder);
  lock_.emplace(folder);
  if (lock_->is_held()) tidy(folder, contents_);  // else what is half written may be another run's
  std::set<fs::path> parts;
  for (const fs::path& name : request_.question.names) {
    if (name.has_parent_path()) parts.insert(folder / name.parent_path());
  }
  for (const fs::path& part : parts) {
    if (!is_folder(part)) continue;
    make_folder(request_, part);
    check_same_disk(request_, part);
    const FolderLock alone(part);  // a run of its own may have it as its --out
    if (alone.is_held()) tidy(part, contents_);
  }
  const FolderContent content = look_at(request_.question, contents_);
  own_ = content.own;
  is_fresh_ = content.own.empty() && content.in_the_way.empty();
  if (request_.refuses_at_once) {
    const auto in_the_way = irreplaceable(content.in_the_way);
    if (!in_the_way.empty()) refuse(in_the_way, Unplaced::kDrop);
  }
  // Where files will be taken away, too.
  for (const auto& [name, written] : content.own) parts.insert((folder / name).parent_path());
  for (const fs::path& part : parts) make_folder(request_, part);
}

ResultFolder::~ResultFolder() {
  std::error_code error;
  if (!staging_.empty() && !is_begun(staging_)) fs::remove_all(staging_, error);
}

std::filesystem::path ResultFolder::staged(const fs::path& name) {
  const fs::path& folder = request_.question.folder;
  if (staging_.empty()) staging_ = common::make_part_folder(folder);
  const fs::path file = staging_ / name;
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) throw common::output_error(folder / name, error.value());
  return file;
}

void ResultFolder::write(const std::function<void()>& write) const {
  const auto placed = [&](const common::Error& error) {
    std::string text = error.what();
    replace_all(text, staging_.string(), request_.question.folder.string());
    return text;
  };
  try {
    write();
  } catch (const common::OutputError& error) {
    throw common::OutputError(placed(error), error.remedy());
  } catch (const common::InputError& error) {
    throw common::InputError(placed(error), error.remedy());
  }
}

void ResultFolder::commit(Unplaced unplaced) {
  const std::vector<fs::path> names = staged_names();
  if (names.empty()) return;
  const fs::path& folder = request_.question.folder;
  const FolderContent content = content_now(names);
  std::vector<InTheWay> in_the_way = irreplaceable(content.in_the_way);
  std::erase_if(in_the_way, [&](const InTheWay& one) {
    const auto there = contents_.of(folder / one.name);
    return there && there == contents_.of(staging_ / one.name);
  });
  if (!in_the_way.empty()) refuse(in_the_way, unplaced);
  Placement placement{.place = {}, .remove = content.own};
  for (const fs::path& name : names) {
    placement.place[name] = contents_.of(folder / name);
    placement.remove.erase(name);
  }
  try {
    carry_out(placement, folder, staging_, contents_);
  } catch (const common::OutputError& error) {
    keep(error, unplaced);
  }
  staging_.clear();
}

// A part that could not be put in its place is not lost for that.
void ResultFolder::keep(const common::OutputError& error, Unplaced unplaced) {
  const fs::path staging = staging_;
  if (is_begun(staging)) {
    staging_.clear();
    throw common::OutputError(
        fmt::format("{}; the {} that are not in their places yet lie in {}", error.what(), request_.what,
                    staging.string()),
        error.remedy() + " The next run into this folder puts them in their places first.");
  }
  if (unplaced == Unplaced::kDrop) throw error;
  const auto [place, remedy] = set_aside();
  std::string text = error.what();
  replace_all(text, staging.string(), request_.question.folder.string());
  throw common::OutputError(fmt::format("{}; the {} lie in {}", text, request_.what, place.string()), remedy);
}

// Gives the staging folder a name that no run takes away, where the system lets it.
ResultFolder::SetAside ResultFolder::set_aside() {
  const fs::path staging = std::exchange(staging_, {});
  fs::path place;
  std::error_code error;
  for (int number = 1; place.empty() || fs::exists(fs::symlink_status(place, error)); ++number)
    place = request_.question.folder / (number == 1 ? "unplaced" : fmt::format("unplaced-{}", number));
  fs::rename(staging, place, error);
  if (!error) return {place, "Move them to their places by hand."};
  return {staging,
          "Move them to their places by hand before another run writes into this folder, which takes away "
          "what lies there."};
}

std::vector<fs::path> ResultFolder::staged_names() const {
  std::vector<fs::path> names;
  if (staging_.empty()) return names;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(staging_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_directory(error)) names.push_back(entry->path().lexically_relative(staging_));
  }
  if (error) throw common::output_error(staging_, error.value());
  return names;
}

std::vector<InTheWay> ResultFolder::irreplaceable(std::vector<InTheWay> in_the_way) const {
  if (request_.overwrite == Overwrite::kReplace)
    std::erase_if(in_the_way, [](const InTheWay& one) { return one.kind != InTheWay::Kind::kFolder; });
  return in_the_way;
}

// What was not there in the beginning, as it is now, came since: from a run into one of the numbered folders.
FolderContent ResultFolder::content_now(const std::vector<fs::path>& names) {
  FolderQuestion question = request_.question;
  if (!is_fresh_) {
    FolderContent content = look_at(question, contents_);
    std::erase_if(content.own, [&](const auto& one) {
      const auto before = own_.find(one.first);
      if (before != own_.end() && before->second == one.second) return false;
      content.in_the_way.push_back({one.first, InTheWay::Kind::kForeign});
      return true;
    });
    return content;
  }
  question.older = Older::kStays;
  const std::set<fs::path> staged(names.begin(), names.end());
  std::erase_if(question.names, [&](const fs::path& name) { return !staged.contains(name); });
  FolderContent content = look_at(question, contents_);
  for (const auto& [name, written] : content.own)
    content.in_the_way.push_back({name, InTheWay::Kind::kForeign});
  content.own.clear();
  return content;
}

void ResultFolder::refuse(const std::vector<InTheWay>& in_the_way, Unplaced unplaced) {
  const std::string folder = fmt::format("{} {}", request_.option, request_.question.folder.string());
  const std::string list = list_of(in_the_way);
  if (unplaced == Unplaced::kDrop) {
    const bool has_folder = std::any_of(in_the_way.begin(), in_the_way.end(), [](const InTheWay& one) {
      return one.kind == InTheWay::Kind::kFolder;
    });
    throw common::InputError(
        fmt::format("{}: in the way of the {} {} {}", folder, request_.what,
                    in_the_way.size() == 1 ? "lies" : "lie", list),
        request_.elsewhere +
            (has_folder ? ", or move what is in the way."
                        : ", or give --overwrite: files that are written anew are replaced then, and others "
                          "stay."));
  }
  const auto [place, remedy] = set_aside();
  throw common::OutputError(
      fmt::format("{}: in the way of the {} {} {} by now; the {} lie in {}", folder, request_.what,
                  in_the_way.size() == 1 ? "lies" : "lie", list, request_.what, place.string()),
      remedy);
}

void mend(const fs::path& folder) {
  if (begun_placements(folder).empty()) return;
  const FolderLock lock(folder);
  KnownContents contents;
  for (const fs::path& staging : begun_placements(folder)) end_placement(folder, staging, contents);
}

}  // namespace layerpipe::results
