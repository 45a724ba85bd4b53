#!/usr/bin/env python3
"""Times the reference at full size with random weights: what bench_forward and bench_networks time, in diffusers.

    python3 tools/bench_reference.py --resolution 640 1024 --layers 4               # the transformer, eager and compiled
    python3 tools/bench_reference.py --networks --resolution 640 1024 --layers 4    # text encoder and VAE
    python3 tools/bench_reference.py --device-map --resolution 640 1024 --layers 4  # the transformer over all GPUs, by accelerate

Prints one JSON object a line, with the fields of `bench_forward --json` or of bench_networks. Needs a GPU, torch and
diffusers, transformers for the text encoder, and accelerate for --device-map.
"""

import argparse
import json
import statistics
import time

import needs

needs.packages("torch", "diffusers")

import torch  # noqa: E402
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel  # noqa: E402


def on_gpu(make):
    """What make() builds, in bf16 on the GPU."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = make()
    torch.set_default_dtype(torch.float32)
    return model.eval()


def make_transformer() -> QwenImageTransformer2DModel:
    return on_gpu(lambda: QwenImageTransformer2DModel(use_additional_t_cond=True, use_layer3d_rope=True))


def make_text_encoder():
    # The text part of Qwen2.5-VL-7B; the vision tower is not called for a prompt.
    from transformers import Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel
    config = Qwen2_5_VLTextConfig(
        vocab_size=152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28,
        num_key_value_heads=4, rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]})
    config._attn_implementation = "sdpa"
    return on_gpu(lambda: Qwen2_5_VLTextModel(config))


def inputs(resolution: int, layers: int, text_tokens: int) -> dict:
    side = resolution // 16
    tokens = (layers + 2) * side * side
    options = {"device": "cuda", "dtype": torch.bfloat16}
    return {
        "hidden_states": torch.randn(1, tokens, 64, **options),
        "encoder_hidden_states": torch.randn(1, text_tokens, 3584, **options),
        "encoder_hidden_states_mask": None,
        "timestep": torch.full((1,), 0.5, **options),
        "img_shapes": [[(1, side, side)] * (layers + 2)],
        "additional_t_cond": torch.zeros(1, dtype=torch.long, device="cuda"),
        "return_dict": False,
    }


def synchronize() -> None:
    for gpu in range(torch.cuda.device_count()):
        torch.cuda.synchronize(gpu)


def measure(call, repeat: int) -> dict:
    for _ in range(2):
        call()
    synchronize()
    gpus = range(torch.cuda.device_count())
    before = [torch.cuda.memory_allocated(gpu) for gpu in gpus]
    for gpu in gpus:
        torch.cuda.reset_peak_memory_stats(gpu)
    seconds = []
    for _ in range(repeat):
        synchronize()
        start = time.perf_counter()
        call()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return {
        "seconds": {"min": min(seconds), "median": statistics.median(seconds), "max": max(seconds)},
        "peak_beside_weights_gib": max(torch.cuda.max_memory_allocated(gpu) - before[gpu] for gpu in gpus) / 2**30,
    }


def report(**fields) -> None:
    print(json.dumps(fields), flush=True)


def bench_transformer(args) -> None:
    model = make_transformer()
    for mode in ["eager"] if args.eager_only else ["eager", "compiled"]:
        if mode == "compiled":
            model.compile_repeated_blocks(fullgraph=True)
        for resolution in args.resolution:
            kwargs = inputs(resolution, args.layers, args.text_tokens)
            report(program=f"diffusers {mode}", resolution=resolution, **measure(lambda: model(**kwargs), args.repeat))


def device_map_of(model, gpus: int) -> dict[str, int]:
    """The same number of blocks for every GPU; what comes before them on the first, what comes after them on the last."""
    device_map = {}
    blocks = len(model.transformer_blocks)
    for name, part in model.named_children():
        if part is model.transformer_blocks:
            device_map |= {f"{name}.{i}": i * gpus // blocks for i in range(blocks)}
        else:
            device_map[name] = gpus - 1 if any(key.startswith("transformer_blocks") for key in device_map) else 0
    return device_map


def bench_device_map(args) -> None:
    """The transformer over all GPUs as accelerate runs it: blocks one after another, one GPU at work at a time."""
    from accelerate import dispatch_model
    gpus = torch.cuda.device_count()
    model = make_transformer()
    model = dispatch_model(model, device_map_of(model, gpus))
    weights = [torch.cuda.memory_allocated(gpu) / 2**30 for gpu in range(gpus)]
    for resolution in args.resolution:
        kwargs = inputs(resolution, args.layers, args.text_tokens)
        report(program="diffusers with accelerate's device_map", gpus=gpus, weights_gib=weights, resolution=resolution,
               **measure(lambda: model(**kwargs), args.repeat))


def bench_networks(args) -> None:
    encoder = make_text_encoder()
    ids = torch.arange(args.text_tokens + 34, device="cuda").unsqueeze(0) * 7 + 1000
    report(program="transformers", network="text encoder", **measure(lambda: encoder(input_ids=ids), args.repeat))
    del encoder
    # As the pipeline calls it: the picture as one frame, all layers in one batch.
    vae = on_gpu(lambda: AutoencoderKLQwenImage(input_channels=4))
    options = {"device": "cuda", "dtype": torch.bfloat16}
    for resolution in args.resolution:
        picture = torch.randn(1, 4, 1, resolution, resolution, **options)
        latents = torch.randn(args.layers, 16, 1, resolution // 8, resolution // 8, **options)
        for network, call in {"VAE encoder": lambda: vae.encode(picture), "VAE decoder": lambda: vae.decode(latents)}.items():
            report(program="diffusers eager", network=network, resolution=resolution, layers=args.layers,
                   **measure(call, args.repeat))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, nargs="+", default=[640, 1024])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--text-tokens", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--eager-only", action="store_true")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--networks", action="store_true", help="the text encoder and the VAE instead")
    instead.add_argument("--device-map", action="store_true", help="the transformer's blocks spread over all GPUs by accelerate")
    args = parser.parse_args()
    needs.packages(*["transformers"] * args.networks, *["accelerate"] * args.device_map)
    needs.torch_gpu()
    with torch.inference_mode():
        (bench_networks if args.networks else bench_device_map if args.device_map else bench_transformer)(args)


if __name__ == "__main__":
    main()
