#include "launch/terminal/visible_output.h"

#include "common/visible.h"

namespace layerpipe::launch {

VisibleOutput::int_type VisibleOutput::overflow(int_type character) {
  if (traits_type::eq_int_type(character, traits_type::eof())) return traits_type::not_eof(character);
  const char text = traits_type::to_char_type(character);
  return xsputn(&text, 1) == 1 ? character : traits_type::eof();
}

std::streamsize VisibleOutput::xsputn(const char* text, std::streamsize count) {
  text_.append(text, static_cast<std::size_t>(count));
  pass_on(text_.rfind('\n') + 1);  // nothing without a line end: npos + 1 is 0
  return out_ ? count : 0;
}

int VisibleOutput::sync() {
  pass_on(text_.size());
  return out_.flush() ? 0 : -1;
}

void VisibleOutput::pass_on(std::size_t count) {
  if (count == 0) return;
  out_ << common::visible_lines(std::string_view(text_).substr(0, count));
  text_.erase(0, count);
}

}  // namespace layerpipe::launch
