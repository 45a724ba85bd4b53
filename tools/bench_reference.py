"""Times one forward of the full-size Layered transformer in diffusers, eager and with compiled blocks, with random weights.

    python3 tools/bench_reference.py --resolution 640 1024 --layers 4

Prints one JSON object a line, with the fields of `bench_forward --json`. Needs a GPU, torch and diffusers.
"""

import argparse
import json
import statistics
import time

import torch
from diffusers import QwenImageTransformer2DModel


def make_model() -> QwenImageTransformer2DModel:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = QwenImageTransformer2DModel(use_additional_t_cond=True, use_layer3d_rope=True)
    torch.set_default_dtype(torch.float32)
    return model.eval()


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


def measure(model, kwargs: dict, repeat: int) -> dict:
    for _ in range(2):
        model(**kwargs)
    torch.cuda.synchronize()
    weights = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(repeat):
        torch.cuda.synchronize()
        start = time.perf_counter()
        model(**kwargs)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return {
        "seconds": {"min": min(seconds), "median": statistics.median(seconds), "max": max(seconds)},
        "peak_beside_weights_gib": (torch.cuda.max_memory_allocated() - weights) / 2**30,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, nargs="+", default=[640, 1024])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--text-tokens", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--eager-only", action="store_true")
    args = parser.parse_args()
    model = make_model()
    with torch.inference_mode():
        for mode in ["eager"] if args.eager_only else ["eager", "compiled"]:
            if mode == "compiled":
                model.compile_repeated_blocks(fullgraph=True)
            for resolution in args.resolution:
                result = measure(model, inputs(resolution, args.layers, args.text_tokens), args.repeat)
                print(json.dumps({"program": f"diffusers {mode}", "resolution": resolution, **result}), flush=True)


if __name__ == "__main__":
    main()
