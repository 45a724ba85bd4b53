"""The final latents of every way to split a run over this machine's GPUs against those of one GPU, at full size in bf16.

    gpu_bits_test.py LAYERPIPE

They have to be the same bits. The model is of random weights, guidance is on. Skipped (77) on a machine with fewer than two GPUs,
and where one alone does not hold the model.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "tools"))
import needs  # noqa: E402

BLOCKS = 60
TEXT_LAYERS = 28
LIMIT_SECONDS = 240


def gpus() -> int:
    try:
        return len(subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout.splitlines())
    except (OSError, subprocess.CalledProcessError):
        return 0


def explicit(folder: Path, ranks: int, most: int) -> list[str]:
    """The option of a partition config: one rank has all blocks, text layers and strips but one or none for each of the others."""
    lines, block, layer = ["partition:", "  strategy: explicit", "  stages:"], 0, 0
    for rank in range(ranks):
        blocks = BLOCKS - ranks + 1 if rank == most else 1
        layers = TEXT_LAYERS - ranks + 1 if rank == most else 1
        lines.append(f"    - {{rank: {rank}, transformer: {block}-{block + blocks - 1}, "
                     f"text_encoder: {layer}-{layer + layers - 1}, vae: {100 if rank == most else 0}%}}")
        block, layer = block + blocks, layer + layers
    file = folder / f"{ranks}_{most}.yaml"
    file.write_text("\n".join(lines) + "\n")
    return ["--partition", str(file)]


def ways(folder: Path, ranks: int) -> dict[str, list[str]]:
    """By name, the options of a run."""
    return {"balanced": [], "fastest, phased": ["--strategy", "fastest", "--residency", "phased"],
            "most of it on the last": explicit(folder, ranks, most=ranks - 1),
            "most of it on the first": explicit(folder, ranks, most=0)}


class Runs:
    """Runs at full size, in a folder of their own."""

    def __init__(self, program: str, folder: Path):
        self.program, self.folder = program, folder
        subprocess.run([sys.executable, CHECKOUT / "tools" / "make_full_size_folder.py", folder / "model"], check=True)

    def latents(self, ranks: int, resolution: int, options: list[str]) -> bytes | None:
        """Nothing when one GPU alone does not hold the model."""
        out = self.folder / "latents.safetensors"
        process = subprocess.Popen(
            [CHECKOUT / "launch" / "run.sh", "-n", str(ranks), "decompose", "--model", self.folder / "model", "--random-weights", "--image",
             CHECKOUT / "demo" / "pictures" / "weather.png", "--prompt", "a poster", "--out", self.folder / "out", "--resolution",
             str(resolution), "--layers", "4", "--steps", "2", "--dump-latents", out, "--quiet", *options],
            env=os.environ | {"LAYERPIPE_PROGRAM": self.program})
        try:
            code = process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()  # run.sh ends the ranks
            process.wait(60)
            sys.exit(f"a run on {ranks} GPUs did not end in {LIMIT_SECONDS} s")
        if code == 3 and ranks == 1:
            return None
        if code != 0:
            sys.exit(f"a run on {ranks} GPUs ended with {code}: {options}")
        return out.read_bytes()


def main() -> None:
    program, devices = needs.one_program(__doc__), gpus()
    if devices < 2:
        print("this machine has no two GPUs")
        sys.exit(77)
    compared, different = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        runs = Runs(program, Path(scratch))
        for resolution in (640, 1024):
            alone = runs.latents(1, resolution, [])
            if alone is None:
                print(f"{resolution} px: one GPU alone does not hold the model, so there is nothing to compare with")
                continue
            for ranks in range(2, devices + 1):
                # At 1024 px, and on some of many GPUs, only the split that is made without asking.
                every = resolution == 640 and ranks in (2, devices)
                for name, options in ways(runs.folder, ranks).items() if every else [("balanced", [])]:
                    same = runs.latents(ranks, resolution, options) == alone
                    print(f"{resolution} px, {ranks} GPUs, {name}: {'the same bits' if same else 'OTHER BITS'}", flush=True)
                    compared += 1
                    different += not same
    sys.exit(1 if different else 0 if compared else 77)


if __name__ == "__main__":
    main()
