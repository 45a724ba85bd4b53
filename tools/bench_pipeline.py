#!/usr/bin/env python3
"""Times the pipeline over the GPUs of this machine, at full size with random weights.

    python3 tools/bench_pipeline.py --stages 1 2 4 --resolution 640 1024 --reference --json pipeline.json

For every number of stages: many pictures (throughput), one picture with guidance, and one without, which is the stages' serial
execution, since then only one of them has work at a time. Says whether the latents are those of one device, bit for bit. With
--reference also diffusers' transformer over the same GPUs, by accelerate's device_map. Prints tables and writes JSON. Exits with 1
when a run fails or has other bits. The build has to be there; so has a GPU for every stage.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import needs
from bench_runs import CHECKOUT, GIB, Bench, RunFailed, table


def reference_step_seconds(resolution: int, gpus: int, layers: int) -> float:
    """Of diffusers: a step with guidance is two forwards."""
    how = ["--eager-only"] if gpus == 1 else ["--device-map"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
    done = subprocess.run([sys.executable, CHECKOUT / "tools" / "bench_reference.py", *how, "--resolution", str(resolution), "--layers",
                           str(layers)], env=os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(visible[:gpus])},
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RunFailed(f"tools/bench_reference.py ended with {done.returncode}")
    return 2 * json.loads(done.stdout)["seconds"]["median"]


def measure(bench: Bench, resolution: int, stages: int, args, alone: dict | None) -> dict:
    """The figures of one number of stages; `alone`: those of one stage, without them these are they."""
    common = ["--resolution", str(resolution), "--layers", str(args.layers), *args.option]
    name = f"{resolution}_{stages}"
    few = ["--steps", str(args.few_steps)]
    guided = bench.run(f"{name}_guided", stages, *few, *common)
    serial = bench.run(f"{name}_serial", stages, *few, "--no-cfg", *common)
    phased = bench.run(f"{name}_phased", stages, "--steps", "2", "--residency", "phased", *common, pictures=3)
    figures = {
        "resolution": resolution,
        "stages": stages,
        "step_seconds": guided.step_seconds,
        "serial_step_seconds": 2 * serial.step_seconds,
        "busy_share_of_one": guided.busy_share(),
        "load_seconds": sum(guided.report["seconds"]["load"].values()),
        "encode_seconds": guided.report["seconds"]["encode"],
        "decode_seconds": guided.report["seconds"]["decode"],
        "first_step_seconds": guided.first_step_seconds,
        "text_encoder_seconds": guided.span_seconds("encode", "text encoder"),
        "vae_seconds": {
            "encoder strips": phased.part_seconds("encode", "VAE strips"),
            "encoder middle": phased.part_seconds("encode", "VAE middle"),
            "decoder": phased.part_seconds("decode", "VAE strips"),
        },
        "phased_peak_bytes": {phase: [rank["peak_bytes"][phase] for rank in phased.ranks] for phase in ("encode", "decode")},
        "predicted_step_seconds": guided.report["plan"]["predicted_step_seconds"],
        "latents": str(guided.latents),
    }
    if args.reference:
        try:
            figures["reference_step_seconds"] = reference_step_seconds(resolution, stages, args.layers)
        except RunFailed as failure:
            print(failure, flush=True)
    if alone is None:
        return figures
    figures["same_bits"] = filecmp.cmp(guided.latents, alone["latents"], shallow=False)
    figures["speed_of_one"] = figures["serial_step_seconds"] / figures["step_seconds"]
    pictures = args.pictures_per_stage * stages
    many = bench.run(f"{name}_many", stages, "--steps", str(args.steps), *common, pictures=pictures)
    figures |= {
        "pictures": pictures,
        "steps": args.steps,
        "many_seconds": many.denoise_seconds,
        "throughput": pictures * args.steps * alone["step_seconds"] / many.denoise_seconds,
        "busy_share_of_many": many.busy_share(),
        "waiting_to_send": max(rank["edge"]["wait"] for rank in many.ranks) / many.denoise_seconds,
    }
    return figures


def row(figures: dict) -> list:
    stages = figures["stages"]
    cells = [figures["resolution"], stages,
             f"{figures['reference_step_seconds']:.3f}" if "reference_step_seconds" in figures else "",
             f"{figures['serial_step_seconds']:.3f}", f"{figures['step_seconds']:.3f}"]
    if "throughput" not in figures:
        return cells + ["", "", "", "", ""]
    due = 2 * stages / (stages + 1)
    return cells + [f"{figures['speed_of_one']:.2f} ({figures['speed_of_one'] / due:.0%} of {due:.2f})",
                    f"{figures['throughput']:.2f} ({figures['throughput'] / stages:.0%})",
                    f"{min(figures['busy_share_of_many']):.1%}", f"{figures['waiting_to_send']:.2%}",
                    "yes" if figures["same_bits"] else "NO"]


def other_row(figures: dict) -> list:
    """What lies beside the denoising; of the slowest rank, and memory of the one that takes most."""
    return [figures["resolution"], figures["stages"], f"{figures['text_encoder_seconds']:.3f}", f"{figures['first_step_seconds']:.3f}",
            *(f"{max(seconds):.4f}" for seconds in figures["vae_seconds"].values()),
            *(f"{max(figures['phased_peak_bytes'][phase]) / GIB:.2f}" for phase in ("encode", "decode")),
            f"{figures['predicted_step_seconds']:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stages", type=int, nargs="+", default=[1, 2], help="1 comes first, to compare with")
    parser.add_argument("--resolution", type=int, nargs="+", default=[640, 1024])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20, help="of many pictures")
    parser.add_argument("--few-steps", type=int, default=6, help="of one picture")
    parser.add_argument("--pictures-per-stage", type=int, default=2)
    parser.add_argument("--option", nargs=argparse.REMAINDER, default=[], help="the rest goes to layerpipe decompose")
    parser.add_argument("--reference", action="store_true", help="diffusers too; needs torch, diffusers and accelerate")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="where results go; default: a temporary folder")
    args = parser.parse_args()
    if "cpu" not in args.option:
        needs.gpus(max(args.stages))
    if args.reference:
        needs.packages("torch", "diffusers", "accelerate")
    results, failed = [], False
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(args.folder or Path(scratch))
        for resolution in args.resolution:
            alone = None
            for stages in [1] + [stages for stages in args.stages if stages > 1]:
                try:
                    results.append(measure(bench, resolution, stages, args, alone))
                except RunFailed as failure:
                    print(failure, flush=True)
                    failed = True
                    if stages == 1:
                        break  # there is nothing to compare with
                alone = alone or results[-1]
                if args.json:
                    args.json.write_text(json.dumps(results, indent=2) + "\n")
    print(table(["px", "stages", "diffusers s a step", "serial s a step", "s a step", "one picture", "throughput", "least busy", "waits to send",
                 "same bits"], [row(figures) for figures in results]))
    print()
    print(table(["px", "stages", "text encoder s", "first step after s", "VAE encode: strips s", "middle s", "VAE decode s",
                 "encode peak GiB, phased", "decode peak GiB", "predicted s a step"], [other_row(figures) for figures in results]))
    sys.exit(failed or not all(figures.get("same_bits", True) for figures in results))


if __name__ == "__main__":
    main()
