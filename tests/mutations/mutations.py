"""The deliberate mistakes, and which tests have to notice each of them.

`before` is found in `file` exactly once, whatever its line breaks, and becomes `after`. Every entry of `noticed_by` is
a test program and a GoogleTest filter; in each of them a test has to fail.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    name: str
    file: str
    before: str
    after: str
    noticed_by: tuple[tuple[str, str], ...]


# The whole pipeline from the seed, fp32 and bf16.
ENGINE = ("runtime_test", "Cases/EngineParity.*")
ENGINE_BF16 = ("runtime_test", "Cases/EngineBf16Parity.LatentsFollow*")
BF16_NOISE = ("runtime_test", "Cases/EngineBf16Parity.Noise*")
RESCALED = ("runtime_test", "Cases/EngineParity.*/cfg_normalize")
# One prediction of the whole transformer.
PREDICTION = ("model_parity_test", "Cases/TransformerParity.*")
PREDICTION_MANY_LAYERS = ("model_parity_test", "Cases/TransformerParity.*/ten_layers")
PREDICTION_BF16 = ("model_parity_test", "Cases/TransformerBf16Parity.*")
# Single steps and layers.
EULER_BF16 = ("model_parity_test", "Dtypes/EulerParity.*/bf16")
BLOCK = ("model_parity_test", "Scales/SmallScaleParity.TransformerBlock*")
BLOCK_SMALL = ("model_parity_test", "Scales/SmallScaleParity.TransformerBlock*/small")
HEAD_SMALL = ("model_parity_test", "Scales/SmallScaleParity.OutputHead*/small")
MODULATION_ROWS = ("model_test", "Dtypes/ModulationRows.MakeRoom*")
MODULATION_ROUNDED = ("model_test", "ModulationTable.KeepsOneRow*")
EMBEDDED_PROMPT_SMALL = ("model_parity_test", "Scales/SmallScaleParity.EmbeddedPrompt*/small")
TEXT_LAYER = ("model_parity_test", "Scales/SmallScaleParity.TextEncoderLayer*")
TEXT_LAYER_SMALL = ("model_parity_test", "Scales/SmallScaleParity.TextEncoderLayer*/small")
VAE_NORM = ("model_parity_test", "VaeNormParity.*")
DECODER_BAND = ("vae_strips_test", "*DecoderReadsExactly*")
ENCODER_BAND = ("vae_strips_test", "*EncoderReadsExactly*")
PROMPT_IDS_COMPOSED = ("tokenizer_test", "*ComposesBeforeItEncodes*")
RESIZE = ("media_test", "Sizes/ResizeTest.*")

MUTATIONS = [
    # Rotary positions
    Mutation("rotary: rows and columns swapped", "model/rotary.cpp",
             "spread(angles(centred(grid.height), axes_dims[1], kImageTheta), 1), "
             "spread(angles(centred(grid.width), axes_dims[2], kImageTheta), 2)",
             "spread(angles(centred(grid.width), axes_dims[1], kImageTheta), 2), "
             "spread(angles(centred(grid.height), axes_dims[2], kImageTheta), 1)",
             (BLOCK, PREDICTION)),
    Mutation("rotary: the condition is the next frame, not -1", "model/rotary.cpp",
             "at::full({1}, -1, at::kLong)", "at::full({1}, grid.frames, at::kLong)", (BLOCK, PREDICTION)),
    Mutation("rotary: text starts without regard to the frames", "model/rotary.cpp",
             "start = std::max(start, grid.frames);", "start = std::max(start, std::int64_t{0});",
             (PREDICTION_MANY_LAYERS,)),
    # Transformer
    Mutation("block: to_out without its bias", "model/transformer/transformer_block.cpp",
             "load_linear(block, names.to_out, dim, dim)",
             "load_linear(block, names.to_out, dim, dim, Bias::kNo)", (BLOCK, PREDICTION)),
    Mutation("block: epsilon of the norms 1e-5", "model/transformer/transformer_block.cpp",
             "kNormEps = 1e-6", "kNormEps = 1e-5", (BLOCK_SMALL,)),
    Mutation("head and prompt: epsilon of the norms 1e-5", "model/transformer/transformer.cpp",
             "kNormEps = 1e-6", "kNormEps = 1e-5", (HEAD_SMALL, EMBEDDED_PROMPT_SMALL)),
    Mutation("exact GELU in place of tanh", "model/ops/linear.cpp",
             'at::gelu_(out, "tanh")', 'at::gelu_(out, "none")', (BLOCK, PREDICTION)),
    Mutation("output norm: scale and shift swapped", "model/transformer/transformer.cpp",
             "modulation.scale, modulation.shift", "modulation.shift, modulation.scale", (PREDICTION,)),
    Mutation("timestep: frequencies rounded to bf16", "model/transformer/timestep_embedder.cpp",
             "frequency = exponent.exp();", "frequency = exponent.exp().to(timestep.scalar_type());",
             (PREDICTION_BF16,)),
    Mutation("timestep: divided before it is rounded to bf16", "model/transformer/timestep_embedder.cpp",
             ".to(compute_dtype_) .div(kTimestepDivisor);",
             ".div(kTimestepDivisor).to(compute_dtype_);", (ENGINE_BF16,)),
    Mutation("modulation table: the text's layer in the image's place", "model/transformer/modulation.cpp",
             'layers.push_back({prefix + "img_mod.1", kStreamParts * dim}); '
             'layers.push_back({prefix + "txt_mod.1", kStreamParts * dim});',
             'layers.push_back({prefix + "txt_mod.1", kStreamParts * dim}); '
             'layers.push_back({prefix + "img_mod.1", kStreamParts * dim});', (BLOCK, PREDICTION)),
    Mutation("modulation table: a row of another timestep makes room", "model/transformer/modulation_table.cpp",
             "return slots_[a].last_asked < slots_[b].last_asked;",
             "return slots_[a].last_asked > slots_[b].last_asked;", (MODULATION_ROWS,)),
    Mutation("modulation table: timesteps told apart that the network sees alike",
             "model/transformer/timestep_embedder.cpp", "at::kFloat).to(compute_dtype).item<float>();",
             "at::kFloat).to(compute_dtype == at::kFloat ? compute_dtype : at::kFloat).item<float>();",
             (MODULATION_ROUNDED,)),
    # Text
    Mutation("text encoder: keys without their bias", "model/text_encoder/text_encoder.cpp",
             'load_linear(attention, "k_proj", hidden, keys)',
             'load_linear(attention, "k_proj", hidden, keys, Bias::kNo)',
             (TEXT_LAYER, ENGINE)),
    Mutation("text encoder: epsilon not from the config", "model/text_encoder/text_encoder.cpp",
             "eps_(config.rms_norm_eps)", "eps_(1e-6)", (TEXT_LAYER_SMALL,)),
    Mutation("prompt: 33 tokens dropped", "model/pipeline/prompt_template.cpp",
             ".dropped_tokens = 34,", ".dropped_tokens = 33,", (ENGINE,)),
    Mutation("tokenizer: no NFC", "model/tokenizer/tokenizer.cpp",
             "const std::string text = normalize_nfc(stretch);", "const std::string text(stretch);",
             (PROMPT_IDS_COMPOSED,)),
    # Noise, schedule, guidance
    Mutation("noise: drawn in fp32 and rounded", "model/latents.cpp",
             "at::TensorOptions().dtype(compute_dtype).device(device)));",
             "at::TensorOptions().dtype(at::kFloat).device(device)).to(compute_dtype));", (BF16_NOISE,)),
    Mutation("Euler step: the difference before", "model/scheduler.cpp",
             "schedule.sigmas[index + 1] - schedule.sigmas[index]",
             "schedule.sigmas[index] - schedule.sigmas[index == 0 ? 0 : index - 1]", (ENGINE,)),
    Mutation("Euler step: length not rounded to bf16", "model/scheduler.cpp",
             "at::full({}, dt, at::kFloat).to(prediction.scalar_type())",
             "at::full({}, dt, at::kFloat).to(at::kFloat)", (EULER_BF16,)),
    Mutation("schedule: one level too many in the spacing", "model/pipeline/layered.cpp",
             "levels = linspace(1.0, 0.0, steps + 1);", "levels = linspace(1.0, 0.0, steps + 2); levels.pop_back();",
             (ENGINE,)),
    Mutation("guidance: branches swapped", "model/guidance.cpp",
             "negative + (conditional - negative) * scale", "conditional + (negative - conditional) * scale",
             (ENGINE,)),
    Mutation("guidance: norm rescale ignored", "model/guidance.cpp",
             "if (rescale == NormRescale::kOff) return", "if (rescale == NormRescale::kOff || scale > 0) return",
             (RESCALED,)),
    # VAE
    Mutation("VAE: first temporal slice", "model/vae/vae_layers.cpp",
             ".select(2, kernel - 1)", ".select(2, 0)", (ENGINE,)),
    Mutation("VAE: downsampling pads left and above", "model/vae/vae_layers.cpp",
             "at::constant_pad_nd(x, {0, 1, 0, 1})", "at::constant_pad_nd(x, {1, 0, 1, 0})", (ENGINE, ENCODER_BAND)),
    Mutation("VAE: smallest length in the norm 1e-6", "model/ops/reference.cpp",
             "kSmallestLength = 1e-12", "kSmallestLength = 1e-6", (VAE_NORM,)),
    Mutation("VAE: decoder halo one row short", "model/vae/vae_strips.cpp",
             "rows[i] = grow(needed, residual_margin, total);",
             "rows[i] = grow(needed, residual_margin - (i == 0 ? 1 : 0), total);", (DECODER_BAND,)),
    Mutation("VAE: encoder halo one row short", "model/vae/vae_strips.cpp",
             "rows[0] = grow(rows[1], kRowsPerConvolution, total);",
             "rows[0] = grow(rows[1], kRowsPerConvolution - 1, total);", (ENCODER_BAND,)),
    # Pictures
    Mutation("resize: colors not premultiplied", "media/resize.cpp",
             "static_cast<unsigned>(pixels[c]) * pixels[3] + 128", "static_cast<unsigned>(pixels[c]) * 255 + 128",
             (RESIZE,)),
    Mutation("PNG: values cut, not rounded", "model/latents.cpp",
             "* 255).round().to(at::kByte)", "* 255).to(at::kByte)", (ENGINE,)),
]
