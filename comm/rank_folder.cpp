#include "comm/rank_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

namespace layerpipe::comm {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::optional<fs::file_time_type> time_of(const fs::path& file) {
  std::error_code error;
  const fs::file_time_type time = fs::last_write_time(file, error);
  if (error) return {};
  return time;
}

// Makes the file, or gives it a new time: a byte is written, so that the time is that of the file system.
void write(const fs::path& file) noexcept {
  try {
    std::ofstream(file, std::ios::trunc) << '\n';
  } catch (const std::exception&) {
  }
}

}  // namespace

RankFolder::RankFolder(fs::path folder, int rank, int size)
    : folder_(std::move(folder)), rank_(rank), size_(size) {}

std::optional<RankFolder> RankFolder::from_environment(int rank, int size) {
  const char* folder = std::getenv("LAYERPIPE_RANKS");
  if (folder == nullptr || *folder == '\0') return {};
  return RankFolder(folder, rank, size);
}

fs::path RankFolder::file(const char* kind, int rank) const {
  return folder_ / (std::string(kind) + "." + std::to_string(rank));
}

void RankFolder::touch() const noexcept {
  write(file("alive", rank_));
}

void RankFolder::set_inside() const noexcept {
  write(file("inside", rank_));
}

bool RankFolder::claim_message() const noexcept {
  const int file = ::open((folder_ / "failed").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  return file >= 0 || errno != EEXIST;
}

RankFolder::Presence RankFolder::presence(int rank) const {
  Presence found{.host = first_line(file("here", rank)), .is_inside = fs::exists(file("inside", rank))};
  const auto now = time_of(file("alive", rank_));
  if (!now) return found;
  if (const auto time = time_of(file("here", rank))) found.announced = *now - *time;
  if (const auto time = time_of(file("alive", rank))) found.alive = *now - *time;
  return found;
}

std::optional<RankFolder::Death> RankFolder::death() const {
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    std::string how = first_line(file("dead", rank));
    if (!how.empty()) return Death{rank, first_line(file("here", rank)), std::move(how)};
  }
  return {};
}

}  // namespace layerpipe::comm
