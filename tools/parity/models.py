"""Makes a complete model folder in diffusers' layout, small and random."""

from __future__ import annotations

import json
import math
import shutil
import zlib
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel
from safetensors.torch import save_file
from transformers import AutoTokenizer, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from make_tokenizer import make_tokenizer

from .specs import Case, Text

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

# Qwen-Image's own.
SCHEDULER = dict(
    num_train_timesteps=1000, shift=1.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9,
    base_image_seq_len=256, max_image_seq_len=8192, shift_terminal=0.02, time_shift_type="exponential",
)
# Qwen2.5-VL's own: how a picture becomes patches when a caption is asked for.
IMAGE_PROCESSOR = {
    "min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor",
}
# What transformers puts into every config, whatever the model.
NOT_OF_A_MODEL = [
    "_name_or_path", "architectures", "chunk_size_feed_forward", "id2label", "is_encoder_decoder", "label2id",
    "output_attentions", "output_hidden_states", "problem_type", "return_dict",
]


def make_model(folder: Path, case: Case) -> None:
    """Writes the model of `case` into `folder`, replacing what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_tokenizer(folder / "tokenizer", case.text.vocab_size, "vocab-merges")
    write_pipeline_files(folder)
    _write_diffusers_model(folder / "transformer", case, _transformer(case))
    _write_diffusers_model(folder / "vae", case, _vae(case))
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    text_encoder = Qwen2_5_VLForConditionalGeneration(text_config(case.text, tokenizer))
    randomise(text_encoder, f"{case.name}/text_encoder")
    write_text_encoder(folder / "text_encoder", text_encoder, tokenizer, case)


def write_pipeline_files(folder: Path) -> None:
    """All of a model folder but the weights, in a folder that has its tokenizer."""
    # from_pretrained builds the processor from its own folder, tokenizer included.
    shutil.copytree(folder / "tokenizer", folder / "processor")
    write_json(folder / "processor" / "preprocessor_config.json", IMAGE_PROCESSOR)
    FlowMatchEulerDiscreteScheduler(**SCHEDULER).save_config(folder / "scheduler")
    write_json(folder / "model_index.json", {
        "_class_name": "QwenImageLayeredPipeline",
        "_diffusers_version": diffusers.__version__,
        "processor": ["transformers", "Qwen2VLProcessor"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "QwenImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLQwenImage"],
    })


def _transformer(case: Case) -> QwenImageTransformer2DModel:
    spec = case.transformer
    return QwenImageTransformer2DModel(
        patch_size=2, in_channels=64, out_channels=16, num_layers=spec.blocks, num_attention_heads=spec.heads,
        attention_head_dim=spec.head_dim, axes_dims_rope=spec.axes, joint_attention_dim=case.text.hidden,
        guidance_embeds=False, use_additional_t_cond=True, use_layer3d_rope=True,
    )


def _vae(case: Case) -> AutoencoderKLQwenImage:
    # The defaults of latents_mean and latents_std are the real model's.
    return AutoencoderKLQwenImage(
        base_dim=case.vae.base_dim, z_dim=16, dim_mult=list(case.vae.dim_mult), num_res_blocks=case.vae.num_res_blocks,
        temperal_downsample=[False, True, True], input_channels=4,
    )


def text_config(spec: Text, tokenizer) -> Qwen2_5_VLConfig:
    half = spec.head_dim // 2
    section = [half - 2 * (3 * half // 8), 3 * half // 8, 3 * half // 8]  # the real proportions, 16 : 24 : 24
    token = tokenizer.convert_tokens_to_ids
    return Qwen2_5_VLConfig(
        text_config=dict(
            hidden_size=spec.hidden, intermediate_size=spec.intermediate, num_hidden_layers=spec.layers,
            num_attention_heads=spec.heads, num_key_value_heads=spec.kv_heads, vocab_size=_rows(tokenizer),
            rms_norm_eps=1e-6, max_position_embeddings=2048, max_window_layers=spec.layers, use_sliding_window=False,
            bos_token_id=token("<|endoftext|>"), eos_token_id=token("<|im_end|>"),
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0, mrope_section=section),
        ),
        vision_config=dict(
            depth=2, hidden_size=8, intermediate_size=16, num_heads=1, in_channels=3, patch_size=14,
            spatial_merge_size=2, temporal_patch_size=2, window_size=112, out_hidden_size=spec.hidden,
            fullatt_block_indexes=[1],
        ),
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=False,
    )


def _rows(tokenizer) -> int:
    # The real embedding has more rows than there are tokens (152064 for 151665); nothing may assume they are equal.
    return math.ceil((len(tokenizer) + 1) / 16) * 16


def write_text_encoder(target: Path, model: Qwen2_5_VLForConditionalGeneration, tokenizer, case: Case) -> None:
    target.mkdir()
    config = model.config.to_dict()
    for part in (config, config["text_config"], config["vision_config"]):
        for key in NOT_OF_A_MODEL:
            part.pop(key, None)
    config["architectures"] = ["Qwen2_5_VLForConditionalGeneration"]
    config["dtype"] = str(DTYPES[case.weights]).removeprefix("torch.")
    tensors = dict(model.state_dict())
    if case.text.naming == "flat":
        tensors = {_published_name(name): tensor for name, tensor in tensors.items()}
        config = _published_config(config)
    write_json(target / "config.json", config)
    im_end, endoftext = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    write_json(target / "generation_config.json", {
        "bos_token_id": endoftext,
        "do_sample": True,
        "eos_token_id": [im_end, endoftext],
        "pad_token_id": endoftext,
        "repetition_penalty": 1.05,
        "temperature": 1e-06,
    })
    write_tensors(target, "model", tensors, case)


def _published_name(name: str) -> str:
    return name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")


def _published_config(config: dict) -> dict:
    """The published checkpoint's config.json: text settings at the top level, rotary settings by their old names."""
    config = dict(config)
    text = dict(config.pop("text_config"))
    rope = text.pop("rope_parameters")
    for key in ("model_type", "layer_types", "dtype"):
        text.pop(key, None)
    config["torch_dtype"] = config.pop("dtype")
    config |= text
    config["vision_config"] = dict(config["vision_config"])
    for key in ("rope_parameters", "dtype"):
        config["vision_config"].pop(key, None)
    config["rope_theta"] = rope["rope_theta"]
    config["rope_scaling"] = {"type": "mrope", "mrope_section": rope["mrope_section"]}
    return dict(sorted(config.items()))


def _write_diffusers_model(folder: Path, case: Case, model) -> None:
    randomise(model, f"{case.name}/{folder.name}")
    model.save_config(folder)
    write_tensors(folder, "diffusion_pytorch_model", dict(model.state_dict()), case)


@torch.no_grad()
def randomise(model: torch.nn.Module, key: str) -> None:
    """Every parameter away from the values that hide mistakes: no zero bias, no norm weight of one."""
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            value = 0.1 * noise
        elif name.endswith("gamma") or parameter.ndim == 1:
            value = 1 + 0.2 * noise
        elif "embed_tokens" in name or "addition_t_embedding" in name:
            value = noise
        else:
            value = noise / math.sqrt(_fan_in(parameter))
        parameter.copy_(value)


def _fan_in(weight: torch.Tensor) -> int:
    # Of a causal kernel only the last time slice meets the one frame there is, so time does not count.
    sizes = list(weight.shape[1:])
    if weight.ndim == 5 and weight.shape[2] == 3:
        sizes[1] = 1
    return math.prod(sizes)


def write_tensors(folder: Path, stem: str, tensors: dict[str, torch.Tensor], case: Case) -> None:
    """One file, or `case.shards` files with an index, filled in the order of the names."""
    tensors = {name: tensors[name].to(DTYPES[case.weights]).contiguous() for name in sorted(tensors)}
    total = sum(t.nbytes for t in tensors.values())
    shards: list[dict[str, torch.Tensor]] = [{} for _ in range(case.shards)]
    done = 0
    for name, tensor in tensors.items():
        shards[min(case.shards - 1, done * case.shards // total)][name] = tensor
        done += tensor.nbytes
    if case.shards == 1:
        save_file(tensors, folder / f"{stem}.safetensors", metadata={"format": "pt"})
        return
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        file = f"{stem}-{number:05d}-of-{case.shards:05d}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        weight_map |= {name: file for name in shard}
    write_json(folder / f"{stem}.safetensors.index.json",
                {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))})


def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
