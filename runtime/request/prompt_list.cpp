#include "runtime/request/prompt_list.h"

#include <map>
#include <string>

#include "model/pipeline/pipeline.h"

namespace layerpipe::runtime {

PromptList list_prompts(std::span<const Request> requests, const model::Tokenizer& tokenizer,
                        model::PipelineClass pipeline) {
  const model::PromptTemplate words = pipeline_of(pipeline).prompt_template();
  PromptList list;
  std::map<std::string, std::size_t> known;
  const auto number_of = [&](const std::string& prompt) {
    const auto [entry, is_new] = known.try_emplace(prompt, list.token_ids.size());
    if (is_new) list.token_ids.push_back(words.encoder_token_ids(tokenizer, prompt));
    return entry->second;
  };
  for (const Request& request : requests) {
    const std::size_t prompt = number_of(request.prompt);
    const std::size_t negative = request.uses_guidance() ? number_of(*request.negative_prompt) : prompt;
    list.prompts.push_back({prompt, negative});
    list.prompt_lengths.push_back({words.prompt_length(list.token_ids[prompt].size()),
                                   words.prompt_length(list.token_ids[negative].size())});
  }
  return list;
}

}  // namespace layerpipe::runtime
