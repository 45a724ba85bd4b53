// Weight files; tests/model/safetensors_test.cpp has every way in which a header can be wrong.
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/launch/refusals/refusal_case.h"
#include "tests/support/model_forms.h"

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

using Parts = WeightParts;

Parts read_parts(const Workplace& w, const std::string& name) {
  return read_weights(w.folder() / name);
}

void write_parts(const Workplace& w, const std::string& name, const Parts& parts) {
  write_weights(w.folder() / name, parts);
}

void write_raw(const Workplace& w, const std::string& name, std::uint64_t length, const std::string& rest) {
  w.write(name, std::string(reinterpret_cast<const char*>(&length), sizeof length) + rest);
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

// Calls the bytes of a matrix of 16 bits twice as many of 8.
void make_fp8(const Workplace& w, const std::string& tensor, const std::string& dtype = "F8_E4M3") {
  Parts parts = read_parts(w, kTransformer);
  Json& entry = parts.header.at(tensor);
  entry["dtype"] = dtype;
  entry["shape"][0] = 2 * entry["shape"][0].get<std::int64_t>();
  write_parts(w, kTransformer, parts);
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
               "Leave the file alone while it is in use, and start again; copy or download it first if it "
               "was cut short."),
      {.name = "FileReplacedWhileItRuns",
       .section = kSection,
       .deed = "a file that is replaced during the run",
       .prepare = {},
       .message = "FILE has been replaced by another file since its header was read",
       .cure = "Leave the file alone while it is in use, and start again; copy or download it first if it "
               "was cut short.",
       .found = Found::kWhileWorking,
       .tested_by = "model/safetensors_test.cpp: TEST_F(SafetensorsTest, "
                    "RefusesAFileThatChangedSinceItsHeaderWasRead)"},
      changing("FileThatCannotBeRead", "a disk or a mount that fails", "fail",
               "cannot read tensor \"encoder.conv_in.weight\" of " + file + ": Input/output error (errno 5)",
               "Check the disk or the mount that the file lies on."),
  };
}

// A file of one of the model's components under another name.
void rename_weights(const Workplace& w, const std::string& from, const std::string& to) {
  std::filesystem::rename(w.folder() / from, w.folder() / to);
}

void copy_weights(const Workplace& w, const std::string& from, const std::string& to) {
  std::filesystem::copy_file(w.folder() / from, w.folder() / to);
}

std::vector<RefusalCase> names() {
  const std::string section = "Weight files under other names";
  const std::string vae = "model/vae/diffusion_pytorch_model";
  return {
      {"SeveralVariants", section, "two variants, and none of them chosen",
       [=](Workplace& w) {
         rename_weights(w, kVae, vae + ".fp16.safetensors");
         copy_weights(w, vae + ".fp16.safetensors", vae + ".bf16.safetensors");
       },
       "MODEL/vae has weights of the variants bf16 and fp16, and none without a variant in their names",
       "Choose one: --variant bf16 or --variant fp16."},
      {"VariantThatThereIsNot", section, "`--variant` with one that there is not",
       [=](Workplace& w) {
         copy_weights(w, kVae, vae + ".fp16.safetensors");
         w.add({"--variant", "fp8"});
       },
       "--variant fp8: no component of MODEL has weights of that variant",
       "Take --variant fp16 or --variant plain."},
      {"VariantIsNoName", section, "a path for a variant",
       [](Workplace& w) {
         w.add({"--variant", "../vae"});
       },
       "--variant ../vae is not the name of a variant",
       "Give what stands in the files' names, such as bf16 of model.bf16.safetensors."},
      {"ShardWithoutAnIndexMissing", section, "shards without an index, one of them missing",
       [=](Workplace& w) { rename_weights(w, kVae, vae + "-00001-of-00002.safetensors"); },
       "MODEL/vae has no index and lacks file 2 of 2 beside "
       "diffusion_pytorch_model-00001-of-00002.safetensors",
       "Copy or download the model's missing file."},
      {"SeveralOtherNames", section, "several files, none under the usual name",
       [](Workplace& w) {
         copy_weights(w, kTextEncoder, "model/vae/text_encoder.safetensors");
         rename_weights(w, kVae, "model/vae/qwen_image_layered_vae.safetensors");
       },
       "MODEL/vae has no diffusion_pytorch_model.safetensors, but several other files: "
       "qwen_image_layered_vae.safetensors and text_encoder.safetensors",
       "Rename the one that holds the weights to diffusion_pytorch_model.safetensors, or leave it alone "
       "there."},
      {"PrefixOfSomeNames", section, "a checkpoint of several components",
       [](Workplace& w) {
         rename_tensors(w.folder() / kTransformer,
                        [](const std::string& name) { return "model.diffusion_model." + name; });
         add_tensor(w.folder() / kTransformer, "vae.decoder.conv_in.bias");
       },
       "MODEL/transformer: tensor \"time_text_embed.timestep_embedder.linear_1.weight\" is missing; 78 of 79 "
       "tensors lie below \"model.diffusion_model.\", the others do not",
       "Put a file there that holds this component alone, all of its names with the prefix or none."},
      {"VaeOfComfyUi", section, "the VAE's file that ComfyUI takes",
       [](Workplace& w) {
         const std::string block = "decoder.up_blocks.";
         rename_tensors(w.folder() / kVae, [&](const std::string& name) {
           return name.starts_with(block) ? "decoder.upsamples." + name.substr(block.size()) : name;
         });
         rename_weights(w, kVae, "model/vae/qwen_image_layered_vae.safetensors");
       },
       "MODEL/vae/qwen_image_layered_vae.safetensors: the tensors have the names of ComfyUI and Wan, such as "
       "\"decoder.upsamples.0.resnets.0.conv1.bias\"; layerpipe reads those of diffusers",
       "Use the original weights, which \"hf download Qwen/Qwen-Image-Layered --local-dir "
       "Qwen-Image-Layered\" "
       "fetches."},
      {"TwoNamesBecomeOne", section, "a weight under two names",
       [](Workplace& w) { add_tensor(w.folder() / kTransformer, "img_in.base_layer.bias"); },
       "MODEL/transformer: the tensors \"img_in.base_layer.bias\" and \"img_in.bias\" would both be "
       "\"img_in.bias\"",
       "Save the model again without what was wrapped around it, so that each weight is there once."},
      {"AdapterAlone", section, "a LoRA in place of the weights",
       [](Workplace& w) {
         rename_tensors(w.folder() / kTransformer, [](const std::string& name) {
           return "transformer." + name.substr(0, name.rfind('.')) + ".lora_A." +
                  name.substr(name.rfind('.') + 1);
         });
       },
       "MODEL/transformer: there are only tensors of an adapter (LoRA), such as "
       "\"transformer.img_in.lora_A.bias\", and not the weights that it changes",
       "Put the model's own weights there."},
  };
}

std::vector<RefusalCase> forms() {
  const std::string section = "Weights in other forms";
  const std::string download =
      "Use the original weights, which \"hf download Qwen/Qwen-Image-Layered --local-dir "
      "Qwen-Image-Layered\" "
      "fetches.";
  const std::string pickle = ", which can run code when it is read; layerpipe reads safetensors";
  const auto quantised_config = [=](const std::string& name, const std::string& deed,
                                    const std::string& config, const std::string& form) {
    return RefusalCase{name,
                       section,
                       deed,
                       [config](Workplace& w) {
                         w.patch_json("model/transformer/config.json",
                                      "{\"quantization_config\": " + config + "}");
                       },
                       "MODEL/transformer/config.json: the weights are quantised in the form of " + form +
                           ", which layerpipe does not read",
                       download};
  };
  const auto quantised_tensors = [=](const std::string& name, const std::string& deed,
                                     const std::string& tensor, const std::string& form) {
    return RefusalCase{name,
                       section,
                       deed,
                       [tensor](Workplace& w) { add_tensor(w.folder() / kTransformer, tensor, "U8", 4, 1); },
                       "MODEL/transformer: the weights are quantised in the form of " + form +
                           ", as the tensor \"" + tensor + "\" shows; layerpipe does not read that",
                       download};
  };
  const auto other_file = [=](const std::string& name, const std::string& deed, const std::string& content,
                              const std::string& what, const std::string& cure) {
    return RefusalCase{name,
                       section,
                       deed,
                       [content](Workplace& w) { w.write(kTransformer, content); },
                       "MODEL/transformer/diffusion_pytorch_model.safetensors " + what,
                       cure};
  };
  const std::string to_q = "transformer_blocks.0.attn.to_q.";
  const std::string to_k = "transformer_blocks.0.attn.to_k.";
  const auto half_quantised = [=](const std::string& name, const std::string& deed,
                                  const std::function<void(Workplace&)>& change, const std::string& message) {
    return RefusalCase{
        name,
        section,
        deed,
        change,
        kTransformerFile + message,
        "Download the file again; if it is as it was published, layerpipe does not read its form. " +
            download};
  };
  return {
      {"Pickle", section, "weights as a pickle",
       [](Workplace& w) { rename_weights(w, kVae, "model/vae/diffusion_pytorch_model.bin"); },
       "MODEL/vae has its weights as a pickle, diffusion_pytorch_model.bin" + pickle,
       "Convert it: python3 -c 'import sys, torch, diffusers as m; "
       "m.AutoencoderKLQwenImage.from_pretrained(sys.argv[1], torch_dtype=torch.bfloat16, "
       "use_safetensors=False).save_pretrained(sys.argv[1])' MODEL/vae"},
      {"PickleOfTransformers", section, "the same, for the text encoder",
       [](Workplace& w) { rename_weights(w, kTextEncoder, "model/text_encoder/pytorch_model.bin"); },
       "MODEL/text_encoder has its weights as a pickle, pytorch_model.bin" + pickle,
       "Convert it: python3 -c 'import sys, torch, transformers as m; "
       "m.Qwen2_5_VLForConditionalGeneration.from_pretrained(sys.argv[1], dtype=\"auto\", "
       "use_safetensors=False).save_pretrained(sys.argv[1])' MODEL/text_encoder"},
      {"PickleUnderItsOwnName", section, "a pickle under a name of its own",
       [](Workplace& w) { rename_weights(w, kVae, "model/vae/my vae.pt"); },
       "MODEL/vae has its weights as a pickle, my vae.pt" + pickle,
       "Convert it: python3 -c 'import sys, torch, safetensors.torch as s; t = torch.load(sys.argv[1], "
       "map_location=\"cpu\", weights_only=True); s.save_file({k: v.clone(memory_format="
       "torch.contiguous_format) for k, v in t.get(\"state_dict\", t).items()}, sys.argv[2])' "
       "'MODEL/vae/my vae.pt' MODEL/vae/diffusion_pytorch_model.safetensors"},
      {"Gguf", section, "weights as GGUF",
       [](Workplace& w) {
         rename_weights(w, kTransformer, "model/transformer/qwen-image-layered-Q4_0.gguf");
       },
       "MODEL/transformer has its weights as GGUF, qwen-image-layered-Q4_0.gguf; layerpipe reads safetensors",
       download},
      quantised_config("QuantisedWithBitsandbytes", "a transformer that was saved in 4 bits",
                       R"({"quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": false,
                           "bnb_4bit_quant_type": "nf4"})",
                       "bitsandbytes (nf4)"),
      quantised_config("QuantisedWithAwq", "the same with another program",
                       R"({"quant_method": "awq", "bits": 4})", "AWQ (4 bits)"),
      quantised_tensors("TensorsOfBitsandbytes", "weights in 4 bits, and no word of it in the config",
                        to_q + "weight.quant_state.bitsandbytes__nf4", "bitsandbytes (4 bits)"),
      quantised_tensors("TensorsOfBlocks", "fp8 weights with scales of blocks", to_q + "weight_scale_inv",
                        "fp8 in blocks"),
      half_quantised(
          "ScaleMissing", "a matrix in fp8 without its scale, where another has one",
          [=](Workplace& w) {
            make_fp8(w, to_q + "weight");
            make_fp8(w, to_k + "weight");
            add_tensor(w.folder() / kTransformer, to_k + "weight_scale", "F32", 1, 4);
          },
          "tensor \"" + to_q + "weight\" is F8_E4M3 and has no scale, while 1 other has one, such as \"" +
              to_k + "weight_scale\""),
      half_quantised(
          "ScaleOfNothing", "a scale beside a matrix that is not quantised",
          [=](Workplace& w) { add_tensor(w.folder() / kTransformer, to_q + "scale_weight", "F32", 1, 4); },
          "the scale \"" + to_q + "scale_weight\" belongs to \"" + to_q +
              "weight\", which is not quantised so"),
      half_quantised(
          "ScaleOfAnotherShape", "scales of another number than the rows of their matrix",
          [=](Workplace& w) {
            make_fp8(w, to_q + "weight");
            add_tensor(w.folder() / kTransformer, to_q + "weight_scale", "F32", 8, 4);
          },
          "the scale \"" + to_q + "weight_scale\" has shape [8]; \"" + to_q +
              "weight\" needs F32 of one element, or of shape [64]"),
      {"ConfigNamesScales", section, "a config that says that fp8 weights have scales, beside some without",
       [=](Workplace& w) {
         make_fp8(w, to_q + "weight");
         w.patch_json("model/transformer/config.json", R"({"quantization_config": {"quant_method": "fp8"}})");
       },
       "MODEL/transformer: tensor \"" + to_q +
           "weight\" is F8_E4M3 and has no scale, while config.json says that such weights have",
       "Download the files again; if they are as they were published, layerpipe does not read their form. " +
           download},
      half_quantised(
          "UnknownBesideQuantised", "a tensor that nobody knows beside a matrix in fp8",
          [=](Workplace& w) {
            make_fp8(w, to_q + "weight");
            add_tensor(w.folder() / kTransformer, to_q + "rows", "F32", 1, 4);
          },
          "tensor \"" + to_q + "rows\" lies beside the quantised \"" + to_q +
              "weight\", and layerpipe does not know what it does there"),
      half_quantised(
          "ScaleOfAnUnknownKind", "a scale of an unknown kind in a file with matrices in fp8",
          [=](Workplace& w) {
            make_fp8(w, to_q + "weight");
            add_tensor(w.folder() / kTransformer, "transformer_blocks.0.attn.block_scale", "F32", 1, 4);
          },
          "tensor \"transformer_blocks.0.attn.block_scale\" may be a scale of quantised weights, of a kind "
          "that layerpipe does not know"),
      half_quantised(
          "MetadataOfAnotherVersion", "metadata of quantised weights in another version",
          [=](Workplace& w) {
            Parts parts = read_parts(w, kTransformer);
            parts.header["__metadata__"]["_quantization_metadata"] =
                R"({"format_version": "2.0", "layers": {}})";
            write_parts(w, kTransformer, parts);
            make_fp8(w, to_q + "weight");
          },
          "\"_quantization_metadata\" of its header is of version \"2.0\"; layerpipe knows version 1"),
      half_quantised(
          "Int8WithoutMark", "a matrix in int8 without what says whether it is rotated",
          [=](Workplace& w) { make_fp8(w, to_q + "weight", "I8"); },
          "tensor \"" + to_q + "weight\" is I8, but its mark \"" + to_q +
              "comfy_quant\" is missing, which says whether it is rotated"),
      half_quantised(
          "Fp8OfTheOtherKind", "a matrix in the other fp8",
          [=](Workplace& w) { make_fp8(w, to_q + "weight", "F8_E5M2"); },
          "tensor \"" + to_q +
              "weight\" is F8_E5M2; layerpipe reads weights of 8 bits in F8_E4M3 and, from ComfyUI, "
              "in I8"),
      {"ScaleIsZero", section, "a scale of zero",
       [=](Workplace& w) {
         Parts parts = read_parts(w, kTransformer);
         const std::size_t begin = parts.data.size();
         const std::string matrix(32 * 32, '\x30');
         // The matrix that was there stays, as one that nobody asks for.
         parts.header["unused.table"] = parts.header.at(to_q + "weight");
         parts.data += matrix + std::string(4, '\0');
         parts.header[to_q + "weight"] = {
             {"dtype", "F8_E4M3"}, {"shape", {32, 32}}, {"data_offsets", {begin, begin + matrix.size()}}};
         parts.header[to_q + "weight_scale"] = {
             {"dtype", "F32"},
             {"shape", Json::array()},
             {"data_offsets", {begin + matrix.size(), begin + matrix.size() + 4}}};
         write_parts(w, kTransformer, parts);
       },
       kTransformerFile + "the scale \"" + to_q + "weight_scale\" holds 0.000000; scales are above 0",
       kDamaged, 2, Found::kWhileWorking},
      quantised_tensors("TensorsOfNunchaku", "weights for nunchaku", to_q + "wscales", "nunchaku (SVDQuant)"),
      other_file("FileIsALfsPointer", "a Git LFS pointer in place of the file",
                 "version https://git-lfs.github.com/spec/v1\n",
                 "is a Git LFS pointer, not the file that it stands for",
                 "Fetch the files: git lfs pull, in the model's folder."),
      other_file("FileIsGguf", "GGUF under the name of a safetensors file",
                 std::string("GGUF\3\0\0\0", 8) + "123456", "is a GGUF file; layerpipe reads safetensors",
                 download),
      other_file("FileIsAPickle", "a pickle under the name of a safetensors file",
                 std::string("PK\3\4\0\0\x08\x08", 8) + "archive/data.pkl",
                 "is a pickle that torch.save wrote; layerpipe reads safetensors",
                 "Save the weights as safetensors: safetensors.torch.save_file(torch.load(\"FILE\", "
                 "weights_only=True), \"NAME.safetensors\") in Python, or download them as safetensors."),
      other_file("FileIsAWebPage", "a web page in place of the file", "<!DOCTYPE html><html>404</html>",
                 "is a web page, not the file", "Download it again, from the address of the file itself."),
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
  for (const auto& cases : {tensors(), changes(), names(), forms(), latents()})
    all.insert(all.end(), cases.begin(), cases.end());
  return all;
}

}  // namespace layerpipe::testing
