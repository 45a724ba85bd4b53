// Tokenises texts for tokenizer_parity_test.py.
//
//   tokenize_lines FOLDER ids|pieces|decode
//
// Reads one JSON value a line and writes one for each: for a text its ids, or the pieces that it is cut into
// after normalisation; for a list of ids their text, with special tokens kept and skipped.
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "model/tokenizer/pretokenizer.h"
#include "model/tokenizer/tokenizer.h"

namespace {

using layerpipe::model::SpecialTokens;
using nlohmann::json;

json answer(const layerpipe::model::Tokenizer& tokenizer, const layerpipe::model::Pretokenizer& pretokenizer,
            const std::string& operation, const json& input) {
  if (operation == "ids") return tokenizer.encode(input.get<std::string>());
  if (operation == "decode") {
    const auto ids = input.get<std::vector<std::int64_t>>();
    return json::array(
        {tokenizer.decode(ids, SpecialTokens::kKeep), tokenizer.decode(ids, SpecialTokens::kSkip)});
  }
  if (operation != "pieces") throw layerpipe::common::InputError("unknown operation " + operation);
  json pieces = json::array();
  const std::string text = layerpipe::model::normalize_nfc(input.get<std::string>());
  pretokenizer.split(text, [&](std::string_view piece) { pieces.push_back(piece); });
  return pieces;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tokenize_lines FOLDER ids|pieces|decode\n";
    return 2;
  }
  try {
    const auto tokenizer = layerpipe::model::Tokenizer::load(argv[1]);
    const layerpipe::model::Pretokenizer pretokenizer;
    for (std::string line; std::getline(std::cin, line);) {
      std::cout << answer(tokenizer, pretokenizer, argv[2], json::parse(line)) << "\n";
    }
    return 0;
  } catch (const layerpipe::common::Error& error) {
    std::cerr << error.what() << "\n" << error.remedy() << "\n";
    return static_cast<int>(error.exit_code());
  }
}
