// What comes out of mpirun's stderr: what ranks say, and what mpirun says itself. Standard library only.
#pragma once

#include <string>
#include <string_view>

namespace layerpipe::launch {

// Lets everything through, line by line, but holds back the boxes in which mpirun (of Open MPI 4 and 5) tells
// that a rank ended with another code than 0, and its note that it hands a signal on: the ranks have said
// why. Where nobody has, held_back() is what there is to say.
class MpirunOutput {
 public:
  // Takes what was read and gives what is to be shown now.
  std::string take(std::string_view bytes);
  // What has not come to its end, when nothing more has come for a while or will come: the beginning of a
  // line, a box that was not closed.
  std::string flush();

  const std::string& held_back() const { return held_back_; }
  // Whether a message of layerpipe has gone through.
  bool has_message() const { return has_message_; }

 private:
  std::string take_line(std::string line);

  std::string line_;  // the beginning of one that has not ended
  std::string box_;   // the lines of one that is open
  std::string held_back_;
  bool has_message_ = false;
};

}  // namespace layerpipe::launch
