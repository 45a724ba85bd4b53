// Owning a file descriptor. Standard library and POSIX only.
#pragma once

namespace layerpipe::common {

// Closes it when it goes. Whoever wants to know whether closing succeeds closes what release() gives.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  // Less than 0: it owns none.
  int get() const noexcept { return number_; }
  int release() noexcept;
  void reset() noexcept;

 private:
  int number_;
};

}  // namespace layerpipe::common
