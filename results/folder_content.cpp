#include "results/folder_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>

#include "common/errors.h"
#include "common/files.h"
#include "common/texts.h"
#include "results/documents.h"
#include "results/output_path.h"
#include "results/run_record.h"

namespace layerpipe::results {
namespace {

namespace fs = std::filesystem;

// A run.json may say anything: only plain names of files beside it count.
bool is_plain_name(const std::string& name) {
  const auto is_hidden_or_control = [](unsigned char letter) { return letter < 0x20 || letter == 0x7F; };
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         std::none_of(name.begin(), name.end(), is_hidden_or_control);
}

// The names that decompose gives, for a run.json of a time when it did not list hashes: it lists dumped
// latents as well, by a path that need not begin here.
bool is_result_name(const std::string& name) {
  const auto is_document = [&](Format format) { return name == document_name(format); };
  return name == kCompositeName || (name.starts_with("layer_") && name.ends_with(".png")) ||
         std::any_of(kDocumentFormats.begin(), kDocumentFormats.end(), is_document);
}

// What the run.json in a folder tells of the files beside it.
struct OlderResult {
  std::size_t number = 0;
  std::size_t of = 0;  // 0 where it does not say
  bool has_hashes = true;
  std::map<std::string, std::optional<FileContent>> files;  // nothing for those that are not as written
};

std::optional<OlderResult> read_older_result(const fs::path& folder, KnownContents& contents) {
  const fs::path report = folder / kReportName;
  const auto report_content = contents.of(report);
  if (!report_content || report_content->bytes > kLargestRunRecord) return std::nullopt;
  std::string text;
  RunRecord record;
  try {
    text = common::read_text_file(report, kLargestRunRecord);
    record = parse_run_record(text, report.string());
  } catch (const common::InputError&) {  // somebody else's file of this name
    return std::nullopt;
  }
  OlderResult result{
      .number = record.number, .of = record.results, .has_hashes = !record.written.empty(), .files = {}};
  result.files[kReportName] = is_sealed(text) ? report_content : std::nullopt;
  for (const WrittenFile& written : record.written) {
    if (!is_plain_name(written.name) || !is_there(folder / written.name)) continue;
    const auto content = contents.of(folder / written.name);
    result.files[written.name] = content == written.content ? content : std::nullopt;
  }
  if (result.has_hashes) return result;
  for (const std::string& name : record.files) {
    if (is_result_name(name) && is_plain_name(name) && is_there(folder / name)) result.files[name] = {};
  }
  return result;
}

// The numbered folders of `folder`, by their numbers.
std::map<std::size_t, fs::path> numbered_folders(const fs::path& folder) {
  std::map<std::size_t, fs::path> numbered;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    constexpr std::size_t kMostDigits = 9;
    const bool is_number = !name.empty() && name.size() <= kMostDigits &&
                           std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || (name.size() > 1 && name.front() == '0') || !is_folder(entry->path())) continue;
    numbered[std::stoul(name)] = name;
  }
  return numbered;
}

// Whether `path` is one of `files`, under whatever name.
bool is_one_of(std::span<const fs::path> files, const fs::path& path) {
  return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
    std::error_code error;
    return fs::equivalent(file, path, error);
  });
}

bool is_named(const FolderQuestion& question, const fs::path& name) {
  return std::find(question.names.begin(), question.names.end(), name) != question.names.end();
}

// Adds what the older result in a part of the folder ("" or "1") has.
void add(const OlderResult& result, const fs::path& part, const FolderQuestion& question,
         FolderContent& content) {
  for (const auto& [name, written] : result.files) {
    const fs::path relative = part / name;
    if (is_one_of(question.inputs, question.folder / relative)) continue;
    if (question.older == Older::kStays && !is_named(question, relative)) continue;
    if (written) {
      content.own[relative] = *written;
    } else {
      content.in_the_way.push_back(
          {relative, result.has_hashes ? InTheWay::Kind::kEdited : InTheWay::Kind::kUnproven});
    }
  }
}

const char* remark_of(InTheWay::Kind kind) {
  switch (kind) {
    case InTheWay::Kind::kForeign:
      return "";
    case InTheWay::Kind::kEdited:
      return " (edited)";
    case InTheWay::Kind::kUnproven:
      return " (of a run that noted no hashes)";
    case InTheWay::Kind::kFolder:
      return " (a folder)";
  }
  return "";
}

}  // namespace

FolderContent look_at(const FolderQuestion& question, KnownContents& contents) {
  std::set<fs::path> parts;
  for (const fs::path& name : question.names) parts.insert(name.parent_path());
  FolderContent content;
  const auto look = [&](const fs::path& part) {
    const auto result = read_older_result(part.empty() ? question.folder : question.folder / part, contents);
    if (result) add(*result, part, question, content);
  };
  for (const fs::path& part : parts) look(part);
  if (question.older == Older::kReplaced) {
    if (!parts.contains("")) look("");
    for (const auto& [number, part] : numbered_folders(question.folder)) {
      if (parts.contains(part)) continue;
      // A folder that somebody else's run got as its --out is not of the set.
      const auto result = read_older_result(question.folder / part, contents);
      if (result && result->of > 1 && result->number == number) add(*result, part, question, content);
    }
  }
  for (const fs::path& name : question.names) {
    const fs::path file = question.folder / name;
    if (!is_there(file) || content.own.contains(name)) continue;
    const auto known = std::find_if(content.in_the_way.begin(), content.in_the_way.end(),
                                    [&](const InTheWay& one) { return one.name == name; });
    std::error_code error;
    if (fs::is_directory(fs::symlink_status(file, error))) {
      if (known != content.in_the_way.end()) content.in_the_way.erase(known);
      content.in_the_way.push_back({name, InTheWay::Kind::kFolder});
    } else if (known == content.in_the_way.end()) {
      content.in_the_way.push_back({name, InTheWay::Kind::kForeign});
    }
  }
  std::sort(content.in_the_way.begin(), content.in_the_way.end(),
            [](const InTheWay& a, const InTheWay& b) { return a.name < b.name; });
  return content;
}

std::string list_of(std::span<const InTheWay> in_the_way) {
  constexpr std::size_t kMostNamed = 20;
  std::vector<std::string> texts;
  for (const InTheWay& one : in_the_way.first(std::min(in_the_way.size(), kMostNamed)))
    texts.push_back(one.name.string() + remark_of(one.kind));
  if (in_the_way.size() > kMostNamed) texts.push_back(fmt::format("{} more", in_the_way.size() - kMostNamed));
  return common::listed(texts, "and");
}

}  // namespace layerpipe::results
