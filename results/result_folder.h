// A folder that results are written into: held against other runs, looked at before the work, and changed
// only when what is new is whole.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/errors.h"
#include "results/folder_content.h"
#include "results/folder_lock.h"

namespace layerpipe::results {

// What becomes of files in the way that are not an earlier run's own (--overwrite).
enum class Overwrite { kRefuse, kReplace };

// What becomes of new files that cannot be put in their places, because something came there meanwhile.
enum class Unplaced {
  kDrop,  // made again in seconds
  kKeep,  // in a folder beside
};

// Files are written to staged() names, in a folder of its own within the folder, and commit() puts all that
// is there in its place. What is replaced and what goes with it is noted before the first file is touched:
// where a process is killed in between, the next run into the folder, or mend(), ends what it had begun. Used
// by one thread.
class ResultFolder {
 public:
  struct Request {
    FolderQuestion question;  // its folder is made when it is not there
    std::string option;       // what messages call it: "--out"
    std::string what;         // what is written: "results", "documents"
    Overwrite overwrite = Overwrite::kRefuse;
    bool refuses_at_once = true;  // false: commit() refuses, unless what is there is the same
    std::string elsewhere = "Choose another folder";  // how a person has it written elsewhere
    // Called while files that lie there are looked at, which may take longer than others wait for this
    // thread.
    std::function<void()> moved = [] {};
  };

  // Makes the folder and those of the names, holds it, ends what a killed run had begun, and takes away what
  // one had half written. Throws InputError when another run writes there, when something cannot be written,
  // and when something stands in the way: hours of work may come behind it.
  explicit ResultFolder(Request request);
  // What was not put in its place goes.
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  // Whether there is nothing that a commit() would replace.
  bool is_fresh() const noexcept { return is_fresh_; }
  // Whether other runs are kept away: not where the file system keeps no locks.
  bool is_held() const noexcept { return lock_->is_held(); }

  // The name to write a file to that will be folder / name; its folder is made.
  std::filesystem::path staged(const std::filesystem::path& name);

  // Runs `write`, which writes staged files; messages of what it throws then name the places of the files.
  void write(const std::function<void()>& write) const;

  // Puts the files that are staged in their places, each run.json last, and takes away what is left of an
  // earlier run that is_fresh() has seen. Staged files beside those of the question replace what is there.
  // Throws InputError (kDrop) or OutputError (kKeep) naming what came in the way since, with nothing changed;
  // OutputError when the system refuses, which names where the files are that have cost more than seconds
  // (kKeep), and those that were being moved.
  void commit(Unplaced unplaced);

 private:
  struct SetAside {
    std::filesystem::path place;
    std::string remedy;
  };

  std::vector<std::filesystem::path> staged_names() const;
  // Without what --overwrite lets go.
  std::vector<InTheWay> irreplaceable(std::vector<InTheWay> in_the_way) const;
  FolderContent content_now(const std::vector<std::filesystem::path>& names);
  SetAside set_aside();
  [[noreturn]] void keep(const common::OutputError& error, Unplaced unplaced);
  [[noreturn]] void refuse(const std::vector<InTheWay>& in_the_way, Unplaced unplaced);

  Request request_;
  KnownContents contents_;  // of old files, which may be large
  std::optional<FolderLock> lock_;
  std::filesystem::path staging_;                     // empty: nothing is staged
  std::map<std::filesystem::path, FileContent> own_;  // what may be replaced, as it was in the beginning
  bool is_fresh_ = true;
};

// Ends what a process had begun that was killed while it put results in their places: does nothing where
// there is no such thing. Throws InputError when another run is at it, or something stands in the way by now.
void mend(const std::filesystem::path& folder);

}  // namespace layerpipe::results
