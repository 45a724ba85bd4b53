// What the second line of a message says to do, done: the rules by which a test follows a cure that it has
// read.
#pragma once

#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "tests/launch/refusals/workplace.h"

namespace layerpipe::testing {

// What the program said, with the real paths.
struct Said {
  std::string message;
  std::string cure;
};

// One way in which cures are put into words, and how they are followed.
struct CureRule {
  std::string words;  // a regular expression for the whole cure
  // Follows the cure in a workplace whose run has just failed. Gives what is wrong afterwards; empty: it
  // helped.
  std::function<std::string(Workplace&, const Said&, const std::smatch& words)> follow;
};

const std::vector<CureRule>& cure_rules();

// The rule for a cure; nothing when no rule has its words.
const CureRule* rule_for(const std::string& cure);

// Regular expressions for the cures that no test follows, and why.
struct UnfollowedCure {
  std::string words;
  std::string reason;
};
const std::vector<UnfollowedCure>& unfollowed_cures();

}  // namespace layerpipe::testing
