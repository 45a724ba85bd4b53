"""The final latents of every way to split a run over this machine's GPUs against those of one GPU, at full size in bf16.

    gpu_bits_test.py LAYERPIPE

They have to be the same bits. The model is of random weights, guidance is on, the picture small. Skipped (77) on a machine with
fewer than two GPUs.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
BLOCKS = 60
TEXT_LAYERS = 28


def gpus() -> int:
    try:
        return len(subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout.splitlines())
    except (OSError, subprocess.CalledProcessError):
        return 0


def explicit(ranks: int, most: int) -> str:
    """A partition config: one rank has all blocks, text layers and strips but one or none for each of the others."""
    lines, block, layer = ["partition:", "  strategy: explicit", "  stages:"], 0, 0
    for rank in range(ranks):
        blocks = BLOCKS - ranks + 1 if rank == most else 1
        layers = TEXT_LAYERS - ranks + 1 if rank == most else 1
        lines.append(f"    - {{rank: {rank}, transformer: {block}-{block + blocks - 1}, "
                     f"text_encoder: {layer}-{layer + layers - 1}, vae: {100 if rank == most else 0}%}}")
        block, layer = block + blocks, layer + layers
    return "\n".join(lines) + "\n"


def ways(ranks: int) -> dict[str, list[str]]:
    """By name, the options of a run."""
    return {"balanced": [], "fastest, phased": ["--strategy", "fastest", "--residency", "phased"],
            "most of it on the last": ["--partition", explicit(ranks, most=ranks - 1)],
            "most of it on the first": ["--partition", explicit(ranks, most=0)]}


def main() -> None:
    program, devices = sys.argv[1], gpus()
    if devices < 2:
        print("this machine has no two GPUs")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run([sys.executable, CHECKOUT / "tools" / "make_full_size_folder.py", folder / "model"], check=True)

        def latents(ranks: int, options: list[str]) -> bytes:
            out = folder / "latents.safetensors"
            if options[:1] == ["--partition"]:
                (folder / "split.yaml").write_text(options[1])
                options = ["--partition", str(folder / "split.yaml")]
            subprocess.run(
                [CHECKOUT / "launch" / "run.sh", "-n", str(ranks), "decompose", "--model", folder / "model", "--random-weights", "--image",
                 CHECKOUT / "demo" / "pictures" / "weather.png", "--prompt", "a poster", "--out", folder / "out", "--resolution", "640",
                 "--layers", "4", "--steps", "3", "--dump-latents", out, "--quiet", *options],
                env=os.environ | {"LAYERPIPE_PROGRAM": program}, check=True)
            return out.read_bytes()

        alone = latents(1, [])
        different = 0
        for ranks in range(2, devices + 1):
            for name, options in ways(ranks).items():
                same = latents(ranks, options) == alone
                print(f"{ranks} GPUs, {name}: {'the same bits' if same else 'OTHER BITS'}", flush=True)
                different += not same
    sys.exit(different)


if __name__ == "__main__":
    main()
