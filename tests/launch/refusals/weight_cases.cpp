// Weight files; tests/model/safetensors_test.cpp has every way in which a header can be wrong.
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

using Json = nlohmann::json;

const std::string kSection = "Weight files";
const std::string kDamaged = "The file may be cut short or damaged; copy or download it again.";
const std::string kBelong = "Check that the config and the weights belong to the same model.";
const std::string kTransformer = "model/transformer/diffusion_pytorch_model.safetensors";
const std::string kTransformerFile = "MODEL/transformer/diffusion_pytorch_model.safetensors: ";
const std::string kIndex = "model/transformer/diffusion_pytorch_model.safetensors.index.json";
const std::string kVae = "model/vae/diffusion_pytorch_model.safetensors";
const std::string kTextEncoder = "model/text_encoder/model.safetensors";

struct Parts {
  Json header;
  std::string data;
};

Parts read_parts(const Workplace& w, const std::string& name) {
  const std::string content = common::read_text_file(w.folder() / name);
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), sizeof length);
  return {Json::parse(content.substr(sizeof length, length)), content.substr(sizeof length + length)};
}

void write_raw(const Workplace& w, const std::string& name, std::uint64_t length, const std::string& rest) {
  w.write(name, std::string(reinterpret_cast<const char*>(&length), sizeof length) + rest);
}

void write_parts(const Workplace& w, const std::string& name, const Parts& parts) {
  std::string header = parts.header.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  write_raw(w, name, header.size(), header + parts.data);
}

// Changes the header's entry of one tensor (RFC 7386).
RefusalCase entry(const std::string& name, const std::string& deed, const std::string& file,
                  const std::string& tensor, const std::string& patch, const std::string& message,
                  const std::string& cure) {
  return {name,
          kSection,
          deed,
          [=](Workplace& w) {
            Parts parts = read_parts(w, file);
            parts.header.at(tensor).merge_patch(Json::parse(patch));
            write_parts(w, file, parts);
          },
          message,
          cure};
}

// Puts the same two bytes into every element of a 16-bit tensor.
void fill(const Workplace& w, const std::string& file, const std::string& tensor,
          const std::string& element) {
  Parts parts = read_parts(w, file);
  const auto offsets = parts.header.at(tensor).at("data_offsets").get<std::vector<std::size_t>>();
  for (std::size_t at = offsets[0]; at < offsets[1]; ++at) {
    parts.data[at] = element[(at - offsets[0]) % element.size()];
  }
  write_parts(w, file, parts);
}

std::vector<RefusalCase> files() {
  return {
      {"NoWeights", kSection, "a component without weights",
       [](Workplace& w) { w.remove_file(kTextEncoder); },
       "MODEL/text_encoder has neither model.safetensors nor model.safetensors.index.json",
       "Copy or download the model's weights, or try --random-weights."},
      {"ShardMissing", kSection, "an index that names a file that is not there",
       [](Workplace& w) { w.write(kIndex, R"({"weight_map": {"img_in.bias": "part-2.safetensors"}})"); },
       "MODEL/transformer/part-2.safetensors is missing; diffusion_pytorch_model.safetensors.index.json says "
       "that it holds \"img_in.bias\"",
       "Copy or download the model's missing file."},
      {"TensorNotInItsShard", kSection, "an index that names the wrong file",
       [](Workplace& w) {
         w.write("model/transformer/other.safetensors", common::read_text_file(w.folder() / kVae));
         w.write(
             kIndex,
             R"({"weight_map": {"time_text_embed.timestep_embedder.linear_1.weight": "other.safetensors"}})");
       },
       "MODEL/transformer/other.safetensors: the index puts tensor "
       "\"time_text_embed.timestep_embedder.linear_1.weight\" here, but it is not",
       kDamaged},
      {"IndexWithoutAMap", kSection, "an index without its map", [](Workplace& w) { w.write(kIndex, "{}"); },
       "MODEL/transformer/diffusion_pytorch_model.safetensors.index.json: field \"weight_map\" is missing",
       "Copy the file from the model's original folder again."},
      {"FileCutShort", kSection, "a file that is cut short",
       [](Workplace& w) { w.cut(kTransformer, 100000); },
       kTransformerFile + "tensor \"transformer_blocks.0.txt_mlp.net.2.weight\" lies outside of the file "
                          "(bytes 86208 to 94400 of 92008)",
       kDamaged},
      {"FileCutInTheHeader", kSection, "a file that is cut short in its header",
       [](Workplace& w) { w.cut(kTransformer, 1000); },
       kTransformerFile + "is cut short: the header needs 7984 bytes, the file has 1000 in all", kDamaged},
      {"FileEmpty", kSection, "an empty file", [](Workplace& w) { w.cut(kTransformer, 0); },
       kTransformerFile + "is too short to be a safetensors file", kDamaged},
      {"FileIsALfsPointer", kSection, "a Git LFS pointer in place of the file",
       [](Workplace& w) { w.write(kTransformer, "version https://git-lfs.github.com/spec/v1\n"); },
       kTransformerFile + "its header would have 2336927755350992246 bytes, so it is not a safetensors file",
       kDamaged},
      {"HeaderHuge", kSection, "a header of more than 100 MiB",
       [](Workplace& w) { write_raw(w, kTransformer, (100ULL << 20) + 1, "{}"); },
       kTransformerFile + "its header would have 104857601 bytes, so it is not a safetensors file", kDamaged},
      {"HeaderNotJson", kSection, "a header that is not JSON",
       [](Workplace& w) { write_raw(w, kTransformer, 8, "{\"a\":   "); },
       kTransformerFile +
           "its header is not JSON: parse error at line 1, column 9: syntax error while parsing "
           "value - unexpected end of input; expected '[', '{', or a literal",
       "Copy the file from the model's original folder again."},
      {"BytesBehindTheLastTensor", kSection, "a file that goes on behind its last tensor",
       [](Workplace& w) { w.write(kTransformer, common::read_text_file(w.folder() / kTransformer) + "12"); },
       kTransformerFile + "2 bytes behind the last tensor", kDamaged},
  };
}

std::vector<RefusalCase> tensors() {
  const std::string weight = "tensor \"img_in.weight\" ";
  return {
      entry("TensorsOverlap", "two tensors that overlap", kTransformer, "img_in.weight",
            R"({"data_offsets": [62, 4158]})",
            kTransformerFile + "two tensors overlap before \"img_in.weight\"", kDamaged),
      entry("HoleBetweenTensors", "a hole between two tensors", kTransformer, "img_in.weight",
            R"({"data_offsets": [66, 4162]})", kTransformerFile + "there is a hole before \"img_in.weight\"",
            kDamaged),
      entry("OffsetsPastTheEnd", "a tensor past the end of the file", kTransformer, "img_in.weight",
            R"({"data_offsets": [1000000, 1004096]})",
            kTransformerFile + weight + "lies outside of the file (bytes 1000000 to 1004096 of 185024)",
            kDamaged),
      entry("ShapeAndBytesDisagree", "a shape that does not agree with the bytes", kTransformer,
            "img_in.weight", R"({"shape": [32, 65]})",
            kTransformerFile + weight + "has shape [32, 65] and dtype BF16 but 4096 bytes", kDamaged),
      entry("UnknownDtypeOfATensor", "a dtype that layerpipe does not know", kTransformer, "img_in.weight",
            R"({"dtype": "Q4"})",
            kTransformerFile + weight + "has dtype \"Q4\", which layerpipe does not know", kDamaged),
      entry("TensorOfAnotherShape", "a tensor of another shape than the config needs", kTransformer,
            "img_in.weight", R"({"shape": [64, 32]})",
            kTransformerFile + weight + "has shape [64, 32]; the config needs [32, 64]", kBelong),
      entry("TensorOfIntegers", "integers in place of weights", kTransformer, "img_in.weight",
            R"({"dtype": "I16"})", kTransformerFile + weight + "has dtype I16, which is not one of weights",
            "Use the model's weights in BF16, F16, F32 or F64."),
      entry("TensorInFp8", "weights in 8 bits without their scales", kVae, "quant_conv.weight",
            R"({"dtype": "F8_E4M3", "shape": [32, 64, 1, 1, 1]})",
            "MODEL/vae/diffusion_pytorch_model.safetensors: tensor \"quant_conv.weight\" has "
            "dtype F8_E4M3, which is not one of weights",
            "Use the model's weights in BF16, F16, F32 or F64."),

      {"MoreBlocksThanWeights", kSection, "more blocks in the config than in the file",
       [](Workplace& w) { w.patch_json("model/transformer/config.json", R"({"num_layers": 3})"); },
       "MODEL/transformer: tensor \"transformer_blocks.2.img_mod.1.weight\" is missing", kBelong},
      {"WeightsNotFinite", kSection, "a tensor full of NaN",
       [](Workplace& w) { fill(w, kTextEncoder, "model.language_model.embed_tokens.weight", "\xC0\x7F"); },
       "MODEL/text_encoder/model.safetensors: tensor \"model.language_model.embed_tokens.weight\" holds "
       "values "
       "that are not finite numbers",
       "The file is damaged; copy or download it again.", 2, Found::kWhileWorking},
  };
}

// What becomes of the file while the program runs: small_machine.cpp.
RefusalCase changing(const std::string& name, const std::string& deed, const std::string& what_happens,
                     const std::string& message, const std::string& cure) {
  return {name,
          kSection,
          deed,
          [what_happens](Workplace& w) {
            w.set_environment("LD_PRELOAD=" LAYERPIPE_SMALL_MACHINE);
            w.set_environment("LAYERPIPE_TEST_READ_FILE=" + (w.folder() / kVae).string());
            w.set_environment("LAYERPIPE_TEST_DEED=" + what_happens);
          },
          message,
          cure,
          2,
          Found::kWhileWorking};
}

std::vector<RefusalCase> changes() {
  const std::string file = "MODEL/vae/diffusion_pytorch_model.safetensors";
  return {
      changing("FileCutWhileItRuns", "a file that becomes shorter during the run", "cut",
               file + " has become shorter: it does not hold all of tensor \"encoder.conv_in.weight\"",
               "Try again when nothing else writes to it."),
      changing("FileWrittenToWhileItRuns", "a file that is written to during the run", "touch",
               file + " has changed since its header was read",
               "Leave the file alone while it is in use, and start again."),
      {.name = "FileReplacedWhileItRuns",
       .section = kSection,
       .deed = "a file that is replaced during the run",
       .prepare = {},
       .message = "FILE has been replaced by another file since its header was read",
       .cure = "Leave the file alone while it is in use, and start again.",
       .found = Found::kWhileWorking,
       .tested_by = "model/safetensors_test.cpp: TEST_F(SafetensorsTest, "
                    "RefusesAFileThatChangedSinceItsHeaderWasRead)"},
      changing("FileThatCannotBeRead", "a disk or a mount that fails", "fail",
               "cannot read tensor \"encoder.conv_in.weight\" of " + file + ": Input/output error (errno 5)",
               "Check the disk or the mount that the file lies on."),
  };
}

std::vector<RefusalCase> latents() {
  const std::string section = "Latents given with --init-latents";
  const std::string dump = "A file that --dump-latents wrote holds such latents.";
  const auto give = [](const Json& header, std::size_t bytes, char byte = '\0') {
    return [=](Workplace& w) {
      write_parts(w, "latents.safetensors", {header, std::string(bytes, byte)});
      w.add({"--init-latents", w.folder() / "latents.safetensors"});
    };
  };
  const auto header = [](const char* name, const char* dtype, std::vector<int> shape, int bytes) {
    return Json{{name, {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {0, bytes}}}}};
  };
  return {
      {"LatentsMissing", section, "a file that is not there",
       [](Workplace& w) {
         w.add({"--init-latents", w.folder() / "latents.safetensors"});
       },
       "cannot open FOLDER/latents.safetensors: No such file or directory (errno 2)",
       "Check that the file exists and may be read."},
      {"LatentsOfAnotherName", section, "a file without the tensor",
       give(header("noise", "F32", {48, 64}, 48 * 64 * 4), 48 * 64 * 4),
       "FOLDER/latents.safetensors holds no tensor \"init_latents\"", dump},
      {"LatentsOfAnotherDtype", section, "latents that are not fp32",
       give(header("init_latents", "BF16", {48, 64}, 48 * 64 * 2), 48 * 64 * 2),
       "FOLDER/latents.safetensors: \"init_latents\" has to be fp32 of shape [1, tokens, channels]", dump},
      {"LatentsNotFinite", section, "latents full of NaN",
       give(header("init_latents", "F32", {48, 64}, 48 * 64 * 4), 48 * 64 * 4, '\xFF'),
       "FOLDER/latents.safetensors: \"init_latents\" holds values that are not finite numbers", dump},
      {"LatentsOfAnotherSize", section, "latents of another picture",
       give(header("init_latents", "F32", {1, 32, 64}, 32 * 64 * 4), 32 * 64 * 4),
       "init_latents have 32 tokens of 64 channels; this picture needs 48 of 64",
       "Make them for the same picture size and number of layers."},
  };
}

}  // namespace

std::vector<RefusalCase> weight_cases() {
  std::vector<RefusalCase> all = files();
  for (const auto& cases : {tensors(), changes(), latents()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace layerpipe::testing
