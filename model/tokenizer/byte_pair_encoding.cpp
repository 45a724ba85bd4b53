#include "model/tokenizer/byte_pair_encoding.h"

#include <algorithm>
#include <queue>

#include "common/errors.h"
#include "common/utf8.h"
#include "model/json_text.h"

namespace layerpipe::model {
namespace {

constexpr std::uint32_t kFirstSubstitute = 0x100;

constexpr bool is_visible(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<std::uint32_t, 256> code_points{};     // of each byte
  std::array<int, kFirstSubstitute + 256> bytes{};  // of each code point; -1 where there is none
};

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.bytes.fill(-1);
  std::uint32_t next = kFirstSubstitute;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::uint32_t code_point = is_visible(byte) ? byte : next++;
    alphabet.code_points[byte] = code_point;
    alphabet.bytes[code_point] = static_cast<int>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

constexpr std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

// A token of a piece that is being merged; a doubly linked list in an array.
struct Symbol {
  std::int32_t id;
  std::size_t previous;
  std::size_t next;
  bool merged_away;
};

// A pair that could be merged when it was queued.
struct Candidate {
  std::int32_t rank;
  std::int32_t id;
  std::size_t place;  // of its left symbol
};

struct LaterCandidate {
  bool operator()(const Candidate& left, const Candidate& right) const {
    return left.rank != right.rank ? left.rank > right.rank : left.place > right.place;
  }
};

}  // namespace

std::optional<std::string> bytes_of_printable(std::string_view token) {
  std::string bytes;
  for (std::size_t place = 0; place < token.size();) {
    const common::Utf8Step step = common::utf8_step(token, place);
    if (!step.code_point || *step.code_point >= kAlphabet.bytes.size()) return std::nullopt;
    const int byte = kAlphabet.bytes[*step.code_point];
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    place += step.length;
  }
  return bytes;
}

std::string printable_of_byte(unsigned char byte) {
  std::string text;
  common::append_utf8(text, kAlphabet.code_points[byte]);
  return text;
}

BytePairEncoder::BytePairEncoder(const Vocabulary& vocabulary, const std::vector<MergeRule>& merges,
                                 const MergeSource& source) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto found = vocabulary.find(printable_of_byte(static_cast<unsigned char>(byte)));
    if (found == vocabulary.end()) {
      throw common::InputError(
          source.vocabulary_name + " has no token for the byte " + std::to_string(byte),
          "A byte-level vocabulary has one for each of the 256; is this the tokenizer of a Qwen model?");
    }
    byte_ids_[byte] = found->second;
  }
  merges_.reserve(merges.size());
  for (std::size_t index = 0; index < merges.size(); ++index) {
    const auto id_of = [&](const std::string& token) {
      const auto found = vocabulary.find(token);
      if (found != vocabulary.end()) return found->second;
      throw common::InputError(
          source.merges_name + std::to_string(source.merge_numbers[index]) + ": the token " + shown(token) +
              " is not in " + source.vocabulary_name,
          "The merges and the vocabulary belong to different tokenizers; copy the folder again.");
    };
    const std::uint64_t key = pair_key(id_of(merges[index].left), id_of(merges[index].right));
    merges_.insert_or_assign(
        key, Merge{static_cast<std::int32_t>(index), id_of(merges[index].left + merges[index].right)});
  }
}

const BytePairEncoder::Merge* BytePairEncoder::find(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoder::encode(std::string_view piece, std::vector<std::int64_t>& ids) const {
  std::vector<Symbol> symbols(piece.size());
  std::vector<Candidate> storage;
  storage.reserve(piece.size());
  std::priority_queue<Candidate, std::vector<Candidate>, LaterCandidate> queue({}, std::move(storage));
  const auto consider = [&](std::size_t place) {
    if (place == kNone || symbols[place].next == kNone) return;
    const Merge* merge = find(symbols[place].id, symbols[symbols[place].next].id);
    if (merge != nullptr) queue.push({merge->rank, merge->id, place});
  };
  for (std::size_t place = 0; place < piece.size(); ++place) {
    symbols[place] = {byte_ids_[static_cast<unsigned char>(piece[place])], place == 0 ? kNone : place - 1,
                      place + 1 == piece.size() ? kNone : place + 1, false};
  }
  for (std::size_t place = 0; place + 1 < piece.size(); ++place) consider(place);

  while (!queue.empty()) {
    const Candidate candidate = queue.top();
    queue.pop();
    Symbol& left = symbols[candidate.place];
    if (left.merged_away || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    // One of the two may have become another token since: then the pair is another, and was queued as such.
    const Merge* merge = find(left.id, right.id);
    if (merge == nullptr || merge->id != candidate.id) continue;
    left.id = candidate.id;
    left.next = right.next;
    right.merged_away = true;
    if (left.next != kNone) symbols[left.next].previous = candidate.place;
    consider(left.previous);
    consider(candidate.place);
  }
  for (std::size_t place = piece.empty() ? kNone : 0; place != kNone; place = symbols[place].next) {
    ids.push_back(symbols[place].id);
  }
}

}  // namespace layerpipe::model
