// What lies in a folder for results already: files that an earlier run wrote and that are as it wrote them,
// and what stands in the way of new ones.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "results/file_content.h"

namespace layerpipe::results {

// A file that must not be lost.
struct InTheWay {
  enum class Kind {
    kForeign,   // no run.json knows it
    kEdited,    // it has changed since a run wrote it
    kUnproven,  // of a run that noted no hashes, so it may have
    kFolder,    // which no file replaces
  };
  std::filesystem::path name;  // relative to the folder that was looked at
  Kind kind = Kind::kForeign;

  bool operator==(const InTheWay&) const = default;
};

struct FolderContent {
  // Those of earlier runs that are as they were written, by their names relative to the folder.
  std::map<std::filesystem::path, FileContent> own;
  std::vector<InTheWay> in_the_way;
};

// What becomes of an earlier run's files that get no new content.
enum class Older {
  kStays,     // documents are added to a result
  kReplaced,  // they go, as a set
};

struct FolderQuestion {
  std::filesystem::path folder;
  std::vector<std::filesystem::path> names;   // that are to be written there, such as "1/layer_0.png"
  std::vector<std::filesystem::path> inputs;  // files that are left alone, wherever they lie
  Older older = Older::kReplaced;
};

// Looks, and changes nothing; `contents` has what is in the files. A run owns the files that a run.json
// beside them lists with their hashes, and that run.json; one that was written before files had hashes proves
// nothing of them. With Older::kReplaced the folder's own run.json counts and that of every numbered folder
// in it that a run with several results wrote.
FolderContent look_at(const FolderQuestion& question, KnownContents& contents);

// "layer_0.png, layers.psd (edited) and composite.png (a folder)", of very many the first ones.
std::string list_of(std::span<const InTheWay> in_the_way);

}  // namespace layerpipe::results
