// `layerpipe quantize`: models that it is not for, and places where nothing can be written.
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

constexpr const char* kSection = "A model folder in 8 bits";

RefusalCase of_quantize(const std::string& name, const std::string& deed,
                        const std::function<void(Workplace&)>& spoil, const std::string& message,
                        const std::string& cure) {
  return {name,
          kSection,
          deed,
          [spoil](Workplace& w) {
            w.use({"quantize", "--model", w.model(), "--out", w.out()});
            spoil(w);
          },
          message,
          cure};
}

}  // namespace

std::vector<RefusalCase> quantize_cases() {
  return {
      of_quantize(
          "QuantizeAlone", "`layerpipe quantize` alone", [](Workplace& w) { w.use({"quantize"}); },
          "--model, --out are missing", "See layerpipe quantize --help."),
      of_quantize(
          "QuantizeIntoAFolder", "a folder that is there already",
          [](Workplace& w) { w.write("out/notes.txt", "mine"); }, "--out OUT is there already",
          "Give a folder that is not there, or remove that one."),
      of_quantize(
          "QuantizeOnceMore", "a model whose transformer is quantised already",
          [](Workplace& w) {
            w.copy_here("model/transformer/diffusion_pytorch_model.safetensors",
                        "quantised/scale_for_rows.safetensors");
          },
          "MODEL: the transformer's weights are quantised already (e4m3 with scales)",
          "Use them as they are: --model MODEL"),
      of_quantize(
          "QuantizeAQuantisedFile", "`--transformer` with a file that is quantised already",
          [](Workplace& w) {
            w.copy_here("t.safetensors", "quantised/scale_for_rows.safetensors");
            w.add({"--transformer", w.folder() / "t.safetensors"});
          },
          "FOLDER/t.safetensors: the transformer's weights are quantised already (e4m3 with scales)",
          "Use them as they are: --model MODEL --transformer FOLDER/t.safetensors"),
      of_quantize(
          "QuantizeTwoBlocks", "a transformer with nothing between its first and its last block",
          [](Workplace&) {},
          "MODEL: a transformer of 2 blocks has none that fp8 is for: the first and the last one stay as "
          "they are",
          "Use it as it is: --model MODEL"),
  };
}

}  // namespace layerpipe::testing
