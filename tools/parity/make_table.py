#!/usr/bin/env python3
"""Runs layerpipe on the committed cases, the demo model and N random cases, and writes how far it is from diffusers, as Markdown.

    python tools/parity/make_table.py --layerpipe build/layerpipe --random 20 --out docs/parity.md

Exits with 1 when a limit is broken, after the table is written.
"""

import os
import sys

if __debug__:
    os.execv(sys.executable, [sys.executable, "-O", *sys.argv])  # see make_fixtures.py

os.environ["HF_HUB_OFFLINE"] = "1"

import argparse
import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import needs  # noqa: E402

needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from parity import compare, fixtures, reference, specs  # noqa: E402

TENSORS = ["init_latents", "prompt_embeds", "negative_prompt_embeds", "image_latents", "latents", "decoded"]
# Two right programs in fp32 are about 1e-6 apart. Most mistakes give 1e-3 and more; the smallest tried, the exact GELU
# in place of tanh, gives 5e-5 in `latents`, which passes, and 7e-5 to 2e-4 in `decoded`, which some cases catch.
FP32_LIMIT = 1e-4
PIXEL_SHARE_LIMIT = 0.001
PIXEL_LEVEL_LIMIT = 1
# Where the same roundings fall in another order the two errors differ a little, either way.
BF16_RATIO_LIMIT = 1.2


@dataclass
class Result:
    """What one run of layerpipe is worth. Empty but for `failure` when it did not come to an end."""

    case: specs.Case
    errors: dict[str, float] = field(default_factory=dict)  # relative L2 to the fp32 truth
    reference_errors: dict[str, float] = field(default_factory=dict)  # the same of diffusers in bf16
    apart: dict[str, float] = field(default_factory=dict)  # relative L2 to diffusers in bf16
    pixels: compare.PixelDifference | None = None
    failure: str | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layerpipe", type=lambda path: Path(needs.program(path)), required=True, help="the program")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="random cases on top of the committed ones")
    parser.add_argument("--seed", type=int, default=0, help="of the random cases")
    parser.add_argument("--data", type=Path, default=ROOT / "tests" / "data" / "parity")
    parser.add_argument("--out", type=Path, help="the Markdown file (default: standard output)")
    args = parser.parse_args()

    reference.quiet()
    with tempfile.TemporaryDirectory() as work:
        folders = [(case, args.data / case.name) for case in specs.COMMITTED]
        made = [(specs.demo_case(), fixtures.make_demo_case)]
        made += [(case, fixtures.make_case_to_compare) for case in specs.random_cases(args.random, args.seed)]
        for case, make in made:
            print(f"{case.name}: diffusers", file=sys.stderr, flush=True)
            make(Path(work) / case.name, case)
            folders.append((case, Path(work) / case.name))
        fp32, bf16 = [], []
        for case, folder in folders:
            print(f"{case.name}: layerpipe", file=sys.stderr, flush=True)
            expected = load_file(folder / "expected.safetensors")
            fp32.append(run_fp32(args.layerpipe, case, folder, expected, Path(work)))
            if case.bf16:
                bf16.append(run_bf16(args.layerpipe, case, folder, expected, Path(work)))
    problems = find_problems(fp32, bf16)
    page = render(command_line(args), fp32, bf16, problems)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(page, "utf-8")
    else:
        print(page, end="")
    print(worst_line(fp32, bf16), file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def run_fp32(program: Path, case: specs.Case, folder: Path, expected: dict, work: Path) -> Result:
    result = Result(case)
    dump, pictures = run_layerpipe(program, case, folder, "fp32", expected["init_latents"], work, result)
    if result.failure is None:
        for name in TENSORS:
            if name in expected:
                result.errors[name] = error_of(dump, name, expected[name])
        result.pixels = compare.pixels(pictures, expected["pixels"])
    return result


def run_bf16(program: Path, case: specs.Case, folder: Path, expected: dict, work: Path) -> Result:
    """The same starting noise as the fp32 truth, since noise drawn in bf16 is other noise."""
    result = Result(case)
    dump, _ = run_layerpipe(program, case, folder, "bf16", expected["init_latents"], work, result)
    if result.failure is None:
        for name in TENSORS:
            if f"bf16.{name}" in expected:
                result.errors[name] = error_of(dump, name, expected[name])
                result.reference_errors[name] = compare.relative_l2(expected[f"bf16.{name}"], expected[name])
                result.apart[name] = error_of(dump, name, expected[f"bf16.{name}"])
    return result


def error_of(dump: dict, name: str, truth: torch.Tensor) -> float:
    return compare.relative_l2(dump[name], truth) if name in dump else float("inf")


def run_layerpipe(program: Path, case: specs.Case, folder: Path, dtype: str, init_latents: torch.Tensor, work: Path,
                  result: Result) -> tuple[dict, torch.Tensor | None]:
    """(dumped tensors, pictures [layers, H, W, 4]); on failure sets result.failure."""
    call = case.call
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        scratch = Path(scratch)
        save_file({"init_latents": init_latents}, scratch / "init.safetensors")
        command = [
            program.resolve(), "decompose", "--model", folder / "model", "--image", folder / "input.png",
            "--prompt", call.prompt, "--layers", call.layers, "--resolution", call.resolution, "--any-resolution",
            "--steps", call.steps, "--seed", call.seed, "--device", "cpu", "--dtype", dtype,
            "--init-latents", scratch / "init.safetensors",
            "--dump-latents", scratch / "dump.safetensors", "--out", scratch / "out", "--quiet",
        ]
        if call.negative_prompt is None:
            command += ["--no-cfg"]
        else:
            command += ["--negative-prompt", call.negative_prompt, "--cfg-scale", call.true_cfg_scale]
            command += ["--cfg-normalize"] if call.cfg_normalize else []
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if run.returncode != 0:
            last = run.stderr.strip().splitlines()[-1:] or ["no message"]
            result.failure = f"exit code {run.returncode}: {last[0]}"
            return {}, None
        try:
            dump = load_file(scratch / "dump.safetensors")
            layers = [Image.open(scratch / "out" / f"layer_{i}.png").convert("RGBA") for i in range(call.layers)]
        except OSError as error:
            result.failure = f"{Path(error.filename or '').name} is missing or broken"
            return {}, None
        return dump, torch.from_numpy(np.stack([np.asarray(layer) for layer in layers]))


def find_problems(fp32: list[Result], bf16: list[Result]) -> list[str]:
    problems = []
    for dtype, results in (("fp32", fp32), ("bf16", bf16)):
        problems += [f"{r.case.name}, {dtype}: {r.failure}" for r in results if r.failure]
    for result in fp32:
        problems += [f"{result.case.name}, fp32: {name} is {error:.1e} off, limit {FP32_LIMIT:.0e}"
                     for name, error in result.errors.items() if not error <= FP32_LIMIT]
        pixels = result.pixels
        if pixels and (pixels.share > PIXEL_SHARE_LIMIT or pixels.largest > PIXEL_LEVEL_LIMIT):
            problems.append(f"{result.case.name}, fp32: {pixels.share:.2%} of the PNG values differ, by at most "
                            f"{pixels.largest}; limit {PIXEL_SHARE_LIMIT:.1%} by {PIXEL_LEVEL_LIMIT}")
    for result in bf16:
        for name in result.errors:
            ratio = ratio_of(result, name)
            if not ratio <= BF16_RATIO_LIMIT:
                problems.append(f"{result.case.name}, bf16: {name} is {ratio:.2f} times as far off as diffusers, "
                                f"limit {BF16_RATIO_LIMIT}")
    return problems


def ratio_of(result: Result, name: str) -> float:
    ours, theirs = result.errors[name], result.reference_errors[name]
    return ours / theirs if theirs else (0.0 if ours == 0 else float("inf"))


def worst_line(fp32: list[Result], bf16: list[Result]) -> str:
    def worst(values: list[tuple[float, str, str]], digits: str) -> str:
        value, case, tensor = max(values, default=(float("nan"), "none", "none"))
        return f"{value:{digits}} ({case}, {tensor})"

    error = worst([(e, r.case.name, name) for r in fp32 for name, e in r.errors.items()], ".1e")
    ratio = worst([(ratio_of(r, name), r.case.name, name) for r in bf16 for name in r.errors], ".2f")
    return f"Worst error in fp32: {error}. Worst ratio in bf16: {ratio}."


def command_line(args: argparse.Namespace) -> str:
    """The command as someone would type it in the repository's root, whatever the paths were here."""
    words = ["python", "tools/parity/make_table.py", "--layerpipe", _relative(args.layerpipe)]
    words += ["--random", str(args.random)] if args.random else []
    words += ["--seed", str(args.seed)] if args.random and args.seed else []
    words += ["--out", _relative(args.out)] if args.out else []
    return shlex.join(words)


def _relative(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def render(command: str, fp32: list[Result], bf16: list[Result], problems: list[str]) -> str:
    versions = fixtures.case_json(specs.COMMITTED[0])["versions"]
    libraries = ", ".join(f"{name} {versions[name]}" for name in ("diffusers", "transformers", "torch"))
    lines = [
        f"`{command}` makes this page.",
        "",
        "# Parity with diffusers",
        "",
        f"layerpipe beside {libraries}, both on the CPU, with small random models",
        "(tools/parity/specs.py) and the trained one of the demo. Both start from the same noise. An error is the norm of the",
        "difference from diffusers in fp32, divided by the norm of what diffusers has in fp32. Its latents come from the callback",
        "behind its last step, since with output_type=\"latent\" it raises an error (findings/diffusers_layered_returns_no_latents.sh).",
        "",
        worst_line(fp32, bf16),
        "",
        "All within the limits." if not problems else "**Limits broken:**",
        *[f"- {problem}" for problem in problems],
        "",
        "## fp32",
        "",
        f"Limits: {FP32_LIMIT:.0e} for each tensor; PNG values at most {PIXEL_LEVEL_LIMIT} level apart, in at most "
        f"{PIXEL_SHARE_LIMIT:.1%} of them.",
        "",
        "| case | " + " | ".join(TENSORS[1:]) + " | PNG values that differ | by at most |",
        "|---" * (len(TENSORS) + 2) + "|",
    ]
    for result in fp32:
        if result.failure:
            lines.append(f"| {result.case.name} |" + " |" * (len(TENSORS) + 1))
            continue
        cells = [f"{result.errors[name]:.1e}" if name in result.errors else "" for name in TENSORS[1:]]
        lines.append(f"| {result.case.name} | " + " | ".join(cells)
                     + f" | {result.pixels.share:.3%} | {result.pixels.largest} |")
    lines += [
        "",
        "## bf16",
        "",
        f"Both against diffusers in fp32. Limit of the ratio: {BF16_RATIO_LIMIT}. The last column is how far layerpipe",
        "and diffusers are from each other, both in bf16: less than their errors where these come from the same",
        "roundings.",
        "",
        "| case | tensor | layerpipe | diffusers | ratio | from each other |",
        "|---|---|---|---|---|---|",
    ]
    for result in bf16:
        lines += [f"| {result.case.name} | {name} | {ours:.1e} | {result.reference_errors[name]:.1e} | "
                  f"{ratio_of(result, name):.2f} | {result.apart[name]:.1e} |" for name, ours in result.errors.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
