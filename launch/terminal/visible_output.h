// stdout, as a terminal may show it.
#pragma once

#include <ostream>
#include <streambuf>
#include <string>

namespace layerpipe::launch {

// A stream whose lines go through common::visible_lines() into another one: whole lines when they end, the
// rest when it is flushed or when the object goes. One thread at a time.
class VisibleOutput : private std::streambuf {
 public:
  // `out` outlives the object.
  explicit VisibleOutput(std::ostream& out) : out_(out), stream_(this) {}
  ~VisibleOutput() override { pass_on(text_.size()); }
  VisibleOutput(const VisibleOutput&) = delete;
  VisibleOutput& operator=(const VisibleOutput&) = delete;

  std::ostream& stream() noexcept { return stream_; }

 private:
  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize count) override;
  int sync() override;
  void pass_on(std::size_t count);

  std::ostream& out_;
  std::string text_;  // since the last line end
  std::ostream stream_;
};

}  // namespace layerpipe::launch
