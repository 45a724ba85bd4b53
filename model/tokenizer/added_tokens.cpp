#include "model/tokenizer/added_tokens.h"

#include <algorithm>

namespace layerpipe::model {

AddedTokenMatcher::AddedTokenMatcher(std::vector<Pattern> patterns) {
  for (Pattern& pattern : patterns) {
    const auto first = static_cast<unsigned char>(pattern.text.front());
    by_first_byte_[first].push_back(std::move(pattern));
  }
  for (auto& bucket : by_first_byte_) {
    std::stable_sort(bucket.begin(), bucket.end(), [](const Pattern& left, const Pattern& right) {
      return left.text.size() > right.text.size();
    });
  }
}

const AddedTokenMatcher::Pattern* AddedTokenMatcher::match(std::string_view text) const {
  for (const Pattern& pattern : by_first_byte_[static_cast<unsigned char>(text.front())]) {
    if (text.starts_with(pattern.text)) return &pattern;
  }
  return nullptr;
}

void AddedTokenMatcher::split(std::string_view text, const std::function<void(std::string_view)>& plain,
                              const std::function<void(std::int32_t)>& token) const {
  std::size_t begin = 0;
  for (std::size_t place = 0; place < text.size();) {
    const Pattern* found = match(text.substr(place));
    if (found == nullptr) {
      ++place;
      continue;
    }
    if (begin < place) plain(text.substr(begin, place - begin));
    token(found->id);
    place += found->text.size();
    begin = place;
  }
  if (begin < text.size()) plain(text.substr(begin));
}

}  // namespace layerpipe::model
