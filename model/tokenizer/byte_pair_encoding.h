// Byte-level byte-pair encoding: a piece of text starts as single bytes, and the neighbouring pair that was
// learned first is merged until no pair of neighbours was learned.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace layerpipe::model {

// vocab.json and merges.txt write bytes as printable characters: those of Latin-1 that are visible stand for
// themselves, the others for the next free one from U+0100 on (GPT-2's alphabet). The bytes that `token`
// stands for; empty when one of its characters is not of that alphabet.
std::optional<std::string> bytes_of_printable(std::string_view token);
std::string printable_of_byte(unsigned char byte);

// Token text in the printable alphabet to id. Ids are 0 … 2^31 - 1.
using Vocabulary = std::unordered_map<std::string, std::int32_t>;

struct MergeRule {
  std::string left;
  std::string right;
};

// Says in messages where vocabulary and merges came from.
struct MergeSource {
  std::string vocabulary_name;             // "tokenizer/vocab.json"
  std::string merges_name;                 // what stands before a merge's number: "tokenizer/merges.txt:"
  std::vector<std::size_t> merge_numbers;  // of each merge: its line, or its place in the list
};

// Immutable after construction; any number of threads may call encode at once.
class BytePairEncoder {
 public:
  // `merges` in the order in which they were learned. Throws InputError when a single byte is not in
  // `vocabulary`, or when a part of a merge, or what it makes, is not: then with the merge's number.
  BytePairEncoder(const Vocabulary& vocabulary, const std::vector<MergeRule>& merges,
                  const MergeSource& source);

  // Appends the ids of `piece`, any bytes, to `ids`. O(n log n) in its length.
  void encode(std::string_view piece, std::vector<std::int64_t>& ids) const;

 private:
  struct Merge {
    std::int32_t rank;
    std::int32_t id;  // of what the pair becomes
  };
  const Merge* find(std::int32_t left, std::int32_t right) const;

  std::array<std::int32_t, 256> byte_ids_{};
  std::unordered_map<std::uint64_t, Merge> merges_;  // key: left id · 2^32 + right id
};

}  // namespace layerpipe::model
