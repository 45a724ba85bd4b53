#include "common/mapped_pages.h"

#include <sys/mman.h>

#include <utility>

namespace layerpipe::common {

std::optional<MappedPages> MappedPages::map(const InputFile& file, std::uint64_t begin, std::uint64_t size) {
  void* const data =
      ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), static_cast<off_t>(begin));
  if (data == MAP_FAILED) return std::nullopt;
  return MappedPages(data, size);
}

void MappedPages::bring() const noexcept {
#ifdef MADV_POPULATE_READ
  ::madvise(data_, size_, MADV_POPULATE_READ);
#endif
}

MappedPages::MappedPages(MappedPages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedPages& MappedPages::operator=(MappedPages&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedPages::~MappedPages() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace layerpipe::common
