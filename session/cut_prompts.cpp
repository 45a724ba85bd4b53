#include "session/cut_prompts.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "common/utf8.h"
#include "model/pipeline/pipeline.h"

namespace layerpipe::session {
namespace {

constexpr std::size_t kMostShownBytes = 200;

// All of a text, or its beginning.
std::string beginning_of(const std::string& text) {
  if (text.size() <= kMostShownBytes) return text;
  std::size_t end = 0;
  for (std::size_t next = 0; next <= kMostShownBytes; next += common::utf8_step(text, next).length)
    end = next;
  return text.substr(0, end) + "…";
}

}  // namespace

std::vector<std::string> note_cut_prompts(const runtime::ModelFolder& model, Work& work) {
  const model::PromptTemplate words = pipeline_of(model.config().pipeline).prompt_template();
  std::vector<std::string> sentences;
  std::map<std::pair<std::string, std::string>, std::optional<model::CutPrompt>>
      known;  // by option and prompt
  const auto note = [&](const std::string& option, const std::string& spoken, const std::string& prompt,
                        results::RunRecord& record) {
    const auto [found, is_new] = known.try_emplace({option, prompt});
    std::optional<model::CutPrompt>& cut = found->second;
    if (is_new) {
      cut = words.cut(model.tokenizer(), prompt);
      if (cut) {
        sentences.push_back(
            fmt::format("the {} has {} tokens, of which the model reads the first {}: shorten it, for what "
                        "follows has no "
                        "effect: \"{}\"",
                        spoken, cut->tokens, cut->read_tokens, beginning_of(cut->dropped)));
      }
    }
    if (cut) record.cut_prompts.push_back({option, cut->tokens, cut->read_tokens, cut->dropped});
  };
  for (std::size_t i = 0; i < work.requests.size(); ++i) {
    const runtime::Request& request = work.requests[i];
    note("prompt", "prompt", request.prompt, work.records[i]);
    if (request.uses_guidance())
      note("negative-prompt", "negative prompt", *request.negative_prompt, work.records[i]);
  }
  return sentences;
}

}  // namespace layerpipe::session
