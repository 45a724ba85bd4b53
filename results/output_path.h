// Where results may go, asked before the work.
#pragma once

#include <filesystem>
#include <string>

namespace layerpipe::results {

bool is_folder(const std::filesystem::path& path);

// Whether something has this name, also a link that leads nowhere.
bool is_there(const std::filesystem::path& path);

// The folder that a file lies in; "." for a name alone.
std::filesystem::path folder_of(const std::filesystem::path& file);

// Throws InputError when a file cannot be written there: it is a folder, or there is none for it, or that one
// may not be written. `option` is the option with its value, as messages begin.
void check_output_file(const std::string& option, const std::filesystem::path& file);

}  // namespace layerpipe::results
