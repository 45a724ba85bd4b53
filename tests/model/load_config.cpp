// Loads config files: `load_config KIND FILE`, KIND one of transformer, vae, text_encoder, scheduler. Says on
// stderr why one is refused, with exit code 2.
#include <cstdio>
#include <map>
#include <string>

#include "common/errors.h"
#include "model/config.h"

int main(int argc, char** argv) {
  using namespace layerpipe;
  const std::map<std::string, void (*)(const char*)> loaders{
      {"transformer", [](const char* file) { model::load_transformer_config(file); }},
      {"vae", [](const char* file) { model::load_vae_config(file); }},
      {"text_encoder", [](const char* file) { model::load_text_encoder_config(file); }},
      {"scheduler", [](const char* file) { model::load_scheduler_config(file); }}};
  if (argc != 3 || !loaders.contains(argv[1])) {
    std::fprintf(stderr, "usage: load_config transformer|vae|text_encoder|scheduler FILE\n");
    return 2;
  }
  try {
    loaders.at(argv[1])(argv[2]);
  } catch (const common::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
