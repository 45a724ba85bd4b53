// Putting a set of files in their places, so that it can be ended by another process.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "results/file_content.h"

namespace layerpipe::results {

// All names are relative to the folder.
struct Placement {
  // From the staging folder, each with what it replaces, if there is something.
  std::map<std::filesystem::path, std::optional<FileContent>> place;
  std::map<std::filesystem::path, FileContent> remove;  // of an earlier run, while they are still that
};

// Notes the placement in the staging folder and carries it out: every run.json that goes or is replaced goes
// first, the new ones come last, and with the staging folder the note goes. Throws OutputError; the note
// stays then.
void carry_out(const Placement& placement, const std::filesystem::path& folder,
               const std::filesystem::path& staging, KnownContents& contents);

// The staging folders in a folder in which a process that was killed has left a note.
std::vector<std::filesystem::path> begun_placements(const std::filesystem::path& folder);

// Whether a staging folder has a note: a folder and a file, none of them a link.
bool is_begun(const std::filesystem::path& staging);

// Carries out the rest, within the folder, whatever the note says. Throws InputError when a file came in the
// way since, when the note is none of ours, or leads elsewhere; OutputError.
void end_placement(const std::filesystem::path& folder, const std::filesystem::path& staging,
                   KnownContents& contents);

}  // namespace layerpipe::results
