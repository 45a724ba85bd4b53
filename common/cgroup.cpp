#include "common/cgroup.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

namespace layerpipe::common {
namespace {

namespace fs = std::filesystem;

// Version 1 writes its largest number, rounded down to pages, where nothing is limited.
constexpr std::uint64_t kUnlimitedFrom = std::uint64_t{1} << 62;
constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    parts.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

bool has_word(std::string_view list, std::string_view word) {
  const std::vector<std::string> words = split(list, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<std::uint64_t> number_from(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  return line;
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
  const std::optional<std::string> line = first_line(file);
  return line ? number_from(*line) : std::nullopt;
}

// The number behind `key` in a file of lines "key number"; 0 without it.
std::uint64_t field_in(const fs::path& file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
      return number_from(std::string_view(line).substr(key.size() + 1)).value_or(0);
  }
  return 0;
}

// "\040" stands for a blank, and so on.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digits = text.substr(std::min(i + 1, text.size()), 3);
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    if (text[i] == '\\' && digits.size() == 3 && std::all_of(digits.begin(), digits.end(), is_octal)) {
      plain += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// A tree of groups: that of version 2, or one of version 1 with some controllers.
struct Hierarchy {
  bool is_unified = false;
  std::string controller;  // of version 1: "memory"
};

struct Mount {
  std::string root;   // what of the hierarchy is mounted, as a path in it
  std::string place;  // where
};

// Lines of /proc/self/mountinfo: "31 23 0:28 /root /place options [tags…] - type source super-options".
std::vector<Mount> mounts_of(const Hierarchy& hierarchy, const fs::path& proc) {
  std::vector<Mount> mounts;
  std::ifstream in(proc / "self" / "mountinfo");
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 6 || fields.end() - dash < 4) continue;
    const bool is_it = hierarchy.is_unified ? dash[1] == "cgroup2"
                                            : dash[1] == "cgroup" && has_word(dash[3], hierarchy.controller);
    if (is_it) mounts.push_back({unescaped(fields[3]), unescaped(fields[4])});
  }
  return mounts;
}

// This process's path in the hierarchy; lines of /proc/self/cgroup: "4:cpu,cpuacct:/path", "0::/path".
std::optional<std::string> path_in(const Hierarchy& hierarchy, const fs::path& proc) {
  std::ifstream in(proc / "self" / "cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const bool is_it = hierarchy.is_unified ? controllers.empty() && line.starts_with("0:")
                                            : has_word(controllers, hierarchy.controller);
    if (is_it) return line.substr(second + 1);
  }
  return std::nullopt;
}

// What is left of `path` below `root`: "/b" of "/a/b" below "/a". None when it does not lie there.
std::optional<std::string> below(std::string_view path, std::string_view root) {
  if (root == "/") root = "";
  if (!path.starts_with(root)) return std::nullopt;
  const std::string_view rest = path.substr(root.size());
  if (!rest.empty() && rest.front() != '/') return std::nullopt;
  // "/../other": outside of the namespace's root, so that what is mounted is not its way up.
  const std::vector<std::string> steps = split(rest, '/');
  if (std::find(steps.begin(), steps.end(), "..") != steps.end()) return std::nullopt;
  return std::string(rest == "/" ? "" : rest);
}

struct Group {
  fs::path folder;
  std::string path;  // in the hierarchy
  bool is_own = false;
  bool is_outermost = false;  // of those that are mounted
};

// From this process's group up to the outermost that is mounted.
std::vector<Group> groups_of(const Hierarchy& hierarchy, const fs::path& root) {
  const fs::path proc = root / "proc";
  const std::optional<std::string> path = path_in(hierarchy, proc);
  if (!path) return {};
  // Of several mounts, that which shows most of the way up.
  std::optional<std::string> most;
  fs::path top;
  std::string above;
  for (const Mount& mount : mounts_of(hierarchy, proc)) {
    const std::optional<std::string> way = below(*path, mount.root);
    if (!way || (most && way->size() <= most->size())) continue;
    most = way;
    top = root / fs::path(mount.place).relative_path();
    above = mount.root == "/" ? "" : mount.root;
  }
  if (!most) return {};
  std::vector<Group> groups;
  for (std::string way = *most; !way.empty(); way.resize(way.rfind('/')))
    groups.push_back({top / fs::path(way).relative_path(), above + way});
  groups.push_back({top, above.empty() ? "/" : above});
  groups.front().is_own = true;
  groups.back().is_outermost = true;
  return groups;
}

// The same in whichever namespace it is asked for.
std::optional<std::string> id_of(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return std::nullopt;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

std::optional<MemoryPool> pool_of(const Group& group, std::uint64_t limit, std::uint64_t used,
                                  std::uint64_t reclaimable) {
  const std::optional<std::string> id = id_of(group.folder);
  if (!id || limit >= kUnlimitedFrom) return std::nullopt;
  used -= std::min(used, reclaimable);
  return MemoryPool{*id, group.path, limit, limit - std::min(limit, used)};
}

// Beyond memory.high processes are slowed down until they stand still, beyond memory.max they are killed.
std::optional<MemoryPool> memory_of_unified(const Group& group) {
  const fs::path& folder = group.folder;
  const std::uint64_t limit = std::min(number_in(folder / "memory.max").value_or(kUnlimited),
                                       number_in(folder / "memory.high").value_or(kUnlimited));
  const fs::path stat = folder / "memory.stat";
  return pool_of(
      group, limit, number_in(folder / "memory.current").value_or(0),
      field_in(stat, "inactive_file") + field_in(stat, "active_file") + field_in(stat, "slab_reclaimable"));
}

std::optional<MemoryPool> memory_of_version_1(const Group& group) {
  const fs::path& folder = group.folder;
  // The groups below it do not count, as it was the default once.
  if (!group.is_own && number_in(folder / "memory.use_hierarchy") == std::uint64_t{0}) return std::nullopt;
  const fs::path stat = folder / "memory.stat";
  std::uint64_t limit = number_in(folder / "memory.limit_in_bytes").value_or(kUnlimited);
  // That of all groups above, also of those which are not mounted here.
  const std::uint64_t above = group.is_outermost ? field_in(stat, "hierarchical_memory_limit") : 0;
  if (above != 0) limit = std::min(limit, above);
  return pool_of(group, limit, number_in(folder / "memory.usage_in_bytes").value_or(0),
                 field_in(stat, "total_inactive_file") + field_in(stat, "total_active_file"));
}

std::optional<CpuPool> cpus_by(const Group& group, std::optional<std::uint64_t> quota,
                               std::optional<std::uint64_t> period) {
  const std::optional<std::string> id = id_of(group.folder);
  if (!id || !quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  return CpuPool{*id, static_cast<double>(*quota) / static_cast<double>(*period)};
}

// "150000 100000", or "max 100000".
std::optional<CpuPool> cpus_of_unified(const Group& group) {
  const std::vector<std::string> words = split(first_line(group.folder / "cpu.max").value_or(""), ' ');
  return words.size() == 2 ? cpus_by(group, number_from(words[0]), number_from(words[1])) : std::nullopt;
}

// -1 stands for no quota.
std::optional<CpuPool> cpus_of_version_1(const Group& group) {
  return cpus_by(group, number_in(group.folder / "cpu.cfs_quota_us"),
                 number_in(group.folder / "cpu.cfs_period_us"));
}

template <typename Pool>
void collect(const std::vector<Group>& groups, std::optional<Pool> (*limit_of)(const Group&),
             std::vector<Pool>& pools) {
  for (const Group& group : groups) {
    if (std::optional<Pool> pool = limit_of(group)) pools.push_back(std::move(*pool));
  }
}

}  // namespace

CgroupLimits cgroup_limits(const fs::path& root) {
  const std::vector<Group> unified = groups_of({.is_unified = true, .controller = {}}, root);
  CgroupLimits limits;
  collect(unified, memory_of_unified, limits.memory);
  collect(groups_of({.is_unified = false, .controller = "memory"}, root), memory_of_version_1, limits.memory);
  collect(unified, cpus_of_unified, limits.cpus);
  collect(groups_of({.is_unified = false, .controller = "cpu"}, root), cpus_of_version_1, limits.cpus);
  return limits;
}

}  // namespace layerpipe::common
