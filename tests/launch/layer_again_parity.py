"""A layer that is taken apart again: what the model gets of it is what diffusers gives it, alpha included.

    python3 tests/launch/layer_again_parity.py BUILD/layerpipe BUILD/tests/media_tool

Pixels at the working size are compared bit for bit, the picture's latents in fp32. Exit code 1 and a line for each difference. Needs
diffusers, Pillow, numpy and safetensors.
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "torch", "diffusers", "PIL", "safetensors")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from diffusers.pipelines.qwenimage.pipeline_qwenimage_layered import calculate_dimensions  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from parity.reference import load_pipeline  # noqa: E402

MODEL = ROOT / "demo" / "model"
LAYERS = 4
# In fp32 two right programs differ by some 2e-6; one level of alpha makes far more.
TOLERANCE = 1e-5


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def decompose(program, picture, out, resolution, *more):
    run(program, "decompose", "--model", MODEL, "--image", picture, "--out", out, "--prompt", "sky, hills", "--resolution", resolution,
        "--any-resolution", "--layers", LAYERS, "--steps", 1, "--no-cfg", "--device", "cpu", "--dtype", "fp32", "--quiet", *more)


@torch.no_grad()
def reference(pipe, layer, resolution):
    """The picture at the working size, and its latents: the lines of QwenImageLayeredPipeline.__call__ and prepare_latents."""
    width, height = calculate_dimensions(resolution * resolution, layer.width / layer.height)[:2]
    resized = pipe.image_processor.resize(layer, height, width)
    pixels = pipe.image_processor.preprocess(resized, height, width).unsqueeze(2)
    latents = pipe._encode_vae_image(image=pixels, generator=None).permute(0, 2, 1, 3, 4)
    channels = pipe.transformer.config.in_channels // 4
    return np.asarray(resized), pipe._pack_latents(latents, 1, channels, *latents.shape[3:], 1)


def apart(a, b):
    return float((a - b).norm() / b.norm())


def differences(program, tool, pipe, file, resolution, folder):
    with Image.open(file) as opened:
        assert opened.mode == "RGBA"
        layer = opened.copy()
    resized, expected = reference(pipe, layer, resolution)
    raw = folder / "raw.rgba"
    width, height = resized.shape[1], resized.shape[0]
    run(tool, file, raw, width, height)
    pixels = np.fromfile(raw, np.uint8).reshape(height, width, 4)
    if not np.array_equal(pixels, resized):
        yield f"{(pixels != resized).any(2).sum()} pixels differ, alpha by {np.abs(pixels[..., 3].astype(int) - resized[..., 3]).max()}"
    dump = folder / f"{file.stem} {resolution}.safetensors"
    decompose(program, file, folder / f"again {file.stem} {resolution}", resolution, "--dump-latents", dump)
    found = load_file(dump)["image_latents"]
    if found.shape != expected.shape or apart(found, expected) > TOLERANCE:
        yield f"latents of {tuple(found.shape)} are {apart(found, expected) if found.shape == expected.shape else None} apart"
    changed = np.array(layer)
    changed[..., 3] += changed[..., 3] < 255
    control = apart(reference(pipe, Image.fromarray(changed), resolution)[1], expected)
    if control < TOLERANCE:
        yield f"a level of alpha makes {control} only: this test would not see it"


def main():
    program, tool = sys.argv[1:3]
    pipe = load_pipeline(MODEL, torch.float32)
    found = compared = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        decompose(program, ROOT / "demo" / "pictures" / "weather.png", folder / "run", 128)
        files = sorted((folder / "run").glob("layer_*.png"))
        # An edge of every strength, over colours that differ on both sides of it.
        y, x = np.mgrid[0:160, 0:224]
        Image.fromarray(np.dstack([x, y, 255 - x, np.clip(2 * x - y, 0, 255)]).astype(np.uint8)).save(folder / "slope.png")
        for file in [*files, folder / "slope.png"]:
            for resolution in (128, 96, 192):
                compared += 1
                for text in differences(program, tool, pipe, file, resolution, folder):
                    found += 1
                    print(f"{file.name} at {resolution} px: {text}")
    print(f"{compared} layers taken apart again, {found} differences")
    return 1 if found or compared < 15 else 0


if __name__ == "__main__":
    sys.exit(main())
