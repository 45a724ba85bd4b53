// Stands for libFuzzer in a build without it: runs the target on every file of a folder. What goes wrong ends
// the program, and the last name on stderr is that of the input.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace {

long largest_resident_mib() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss >> 10;
}

void run(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(stream), {}};
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s FOLDER MIB\nMIB: how much memory the inputs may take\n", argv[0]);
    return 2;
  }
  const long most_mib = std::atol(argv[2]);
  const long before_mib = largest_resident_mib();
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::fprintf(stderr, "%s\n", entry.path().filename().c_str());
    run(entry.path());
    if (const long mib = largest_resident_mib() - before_mib; mib > most_mib) {
      std::fprintf(stderr, "took %ld MiB, more than %ld\n", mib, most_mib);
      return 1;
    }
    ++files;
  }
  std::fprintf(stderr, "%zu files, %ld MiB\n", files, largest_resident_mib() - before_mib);
  return files == 0 ? 1 : 0;
}
