// The display in the terminal that it is made for: the program behind a pseudo-terminal.
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::decompose_arguments;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// What the program writes to a terminal of 80 columns.
std::string run_in_terminal(const std::vector<std::string>& arguments) {
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    ::setenv("LC_ALL", "C.UTF-8", 1);
    std::vector<char*> argv{const_cast<char*>(LAYERPIPE_PROGRAM)};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  std::string text;
  char buffer[4096];
  // Reading ends with EIO once the program has closed its end.
  for (ssize_t count = 0; (count = ::read(terminal, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  ::close(terminal);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text;
  return text;
}

// What stands on the screen in the end: cursor up and clearing a line are all that the program uses.
std::vector<std::string> screen_of(const std::string& text) {
  std::vector<std::string> lines(1);
  std::size_t row = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "\033[") == 0) {
      std::size_t end = i + 2;
      while (std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
      const auto count = std::stoul(text.substr(i + 2, end - i - 2));
      if (text[end] == 'A') row -= count;
      if (text[end] == 'K') lines[row].clear();
      i = end;
    } else if (text[i] == '\n') {
      if (++row == lines.size()) lines.emplace_back();
    } else if (text[i] != '\r') {
      lines[row] += text[i];
    }
  }
  return lines;
}

TEST(ProgressDisplay, DrawsOneBlockInATerminal) {
  const layerpipe::testing::TemporaryFolder folder;
  const std::string text = run_in_terminal(decompose_arguments(folder.path() / "out"));
  std::vector<std::string> screen = screen_of(text);
  ASSERT_GT(screen.size(), 9U) << text;
  EXPECT_THAT(screen[0], MatchesRegex(".+: 2 layers at 64 px, guidance, fp32"));
  // The plan's table, then the block.
  screen.erase(screen.begin(), screen.end() - 9);
  EXPECT_THAT(screen[1], MatchesRegex("  encode   done in [0-9.]+ s"));
  EXPECT_THAT(screen[2], MatchesRegex("  denoise  done in [0-9.]+ s, [0-9.]+ s a step"));
  EXPECT_THAT(screen[3], MatchesRegex("  decode   done in [0-9.]+ s"));
  EXPECT_THAT(screen[4], MatchesRegex("  write    done in [0-9.]+ s"));
  EXPECT_THAT(screen[5], MatchesRegex("  memory   .+ in use, .+ at most, of .+ GiB"));
  EXPECT_THAT(screen[6], HasSubstr("layers of"));
  EXPECT_THAT(screen[7], MatchesRegex("done in .+"));
  EXPECT_EQ(screen[8], "");
  EXPECT_THAT(text, HasSubstr("step 0 of 2"));
}

TEST(ProgressDisplay, SaysNothingWhenQuiet) {
  const layerpipe::testing::TemporaryFolder folder;
  EXPECT_EQ(run_in_terminal(decompose_arguments(folder.path() / "out", {"--quiet"})), "");
}

}  // namespace
}  // namespace layerpipe::launch
