"""Folders with random weights as files: bench_write_weights, and tools/make_full_size_folder.py around it.

    python3 tests/tools/write_weights_test.py LAYERPIPE BENCH_WRITE_WEIGHTS SMALL_MACHINE

SMALL_MACHINE is the library that makes a disk full (tests/launch/refusals/small_machine.cpp). Standard library only.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from make_full_size_folder import make_folder  # noqa: E402

MAKER = ROOT / "tools" / "make_full_size_folder.py"
REFERENCE = ROOT / "tests" / "data" / "parity" / "plain" / "model"  # whose files diffusers and transformers wrote
STEMS = {"transformer": "diffusion_pytorch_model", "text_encoder": "model", "vae": "diffusion_pytorch_model"}
LAYERPIPE, WRITER, SMALL_MACHINE = sys.argv[1:4]


def header(file: Path) -> dict[str, tuple[str, list[int]]]:
    with file.open("rb") as content:
        length = struct.unpack("<Q", content.read(8))[0]
        tensors = json.loads(content.read(length))
    tensors.pop("__metadata__", None)
    return {name: (tensor["dtype"], tensor["shape"]) for name, tensor in tensors.items()}


class Weights(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.model = self.folder / "model"
        make_folder(self.model, full_size=False)

    def write(self, *options: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run([WRITER, "--model", self.model, *options], capture_output=True, text=True, timeout=120,
                              env=os.environ | environment)

    def weight_files(self) -> list[str]:
        return sorted(str(file.relative_to(self.model)) for file in self.model.glob("*/*") if "safetensors" in file.name)

    def latents(self, name: str, *options: str, model: Path | None = None) -> tuple[bytes, list[str]]:
        """And the hashes of the layers."""
        dump, out = self.folder / f"{name}.safetensors", self.folder / name
        done = subprocess.run([LAYERPIPE, "decompose", "--model", model or self.model, "--image", ROOT / "demo" / "pictures" / "weather.png",
                               "--prompt", "a poster", "--any-resolution", "--resolution", "64", "--layers", "2", "--steps", "2",
                               "--device", "cpu", "--quiet", "--dump-latents", dump, "--out", out, *options],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return dump.read_bytes(), json.loads((out / "run.json").read_text())["layer_hashes"]

    def test_a_run_from_the_files_has_the_bits_of_random_weights(self):
        done = self.write()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([json.loads(line)["component"] for line in done.stdout.splitlines()], ["transformer", "text_encoder", "vae"])
        inspected = subprocess.run([LAYERPIPE, "inspect", "--model", self.model], capture_output=True, text=True, timeout=120)
        self.assertEqual((inspected.returncode, inspected.stderr), (0, ""))
        for dtype in ("fp32", "bf16"):
            from_files = self.latents(f"files_{dtype}", "--dtype", dtype)
            drawn = self.latents(f"drawn_{dtype}", "--dtype", dtype, "--random-weights")
            self.assertEqual(from_files, drawn)
        self.assertNotEqual(from_files, self.latents("other", "--dtype", "bf16", model=REFERENCE))

    def test_the_files_hold_what_the_reference_writes(self):
        self.assertEqual(self.write().returncode, 0)
        for component, stem in STEMS.items():
            ours, reference = (header(model / component / f"{stem}.safetensors") for model in (self.model, REFERENCE))
            self.assertEqual({dtype for dtype, _ in ours.values()}, {"BF16"})
            # Of the text encoder the language model's layers alone, of the VAE what single frames need.
            shapes = {name: reference[name][1] for name in ours}
            self.assertEqual({name: shape for name, (_, shape) in ours.items()}, shapes)
            if component == "transformer":
                self.assertEqual(set(ours), set(reference))

    def test_fp8_is_what_quantize_makes(self):
        config = self.model / "transformer" / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"num_layers": 3}))
        self.assertEqual(self.write().returncode, 0)
        done = subprocess.run([LAYERPIPE, "quantize", "--model", self.model, "--out", self.folder / "fp8"], capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        ours = self.model / "transformer" / f"{STEMS['transformer']}.safetensors"
        ours.unlink()
        self.assertEqual(self.write("--components", "transformer", "--fp8").returncode, 0)
        self.assertEqual(ours.read_bytes(), (self.folder / "fp8" / "transformer" / ours.name).read_bytes())
        self.assertIn("F8_E4M3", {dtype for dtype, _ in header(ours).values()})

    def test_what_is_there_stays(self):
        self.assertEqual(self.write("--components", "vae").returncode, 0)
        self.assertEqual(self.weight_files(), ["vae/diffusion_pytorch_model.safetensors"])
        again = self.write()
        self.assertEqual((again.returncode, again.stdout), (2, ""))
        self.assertEqual(again.stderr, f"bench_write_weights: {self.model}/vae/diffusion_pytorch_model.safetensors is there already\n"
                                       "  Remove it to have the weights written again.\n")
        self.assertEqual(self.weight_files(), ["vae/diffusion_pytorch_model.safetensors"])
        (self.model / "vae" / "diffusion_pytorch_model.safetensors").unlink()
        self.assertEqual(self.write().returncode, 0)

    def test_refusals(self):
        needed = r"[\d.]+ MiB"
        for options, environment, said in (
                (["--components", "transformer,unet"], {},
                 r'--components: "unet" is none of text_encoder, transformer, vae\n  Give one or several of them with commas between\.\n'),
                ([], {"LD_PRELOAD": SMALL_MACHINE, "LAYERPIPE_TEST_FREE_BYTES": "100000"},
                 rf"the disk of {self.model}/transformer has 97\.7 KiB free, what is written there needs {needed}\n"
                 r"  Free some space on it, give fewer components, or make the folder a link to one on another disk\.\n")):
            with self.subTest(options=options):
                done = self.write(*options, **environment)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, "^bench_write_weights: " + said + "$")
                self.assertEqual(self.weight_files(), [])

    def test_the_folder_of_full_size(self):
        made = self.folder / "full"
        def make(*options: str, **environment: str):
            return subprocess.run([sys.executable, MAKER, made, *options], capture_output=True, text=True, timeout=120,
                                  env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment)

        # Its weights are 55 GB: only what stands before their writing is looked at.
        failed = make("--weights", "transformer,text_encoder,vae", "--writer", WRITER,
                      LD_PRELOAD=SMALL_MACHINE, LAYERPIPE_TEST_FREE_BYTES="40000000000")
        self.assertEqual(failed.returncode, 2)
        self.assertEqual(failed.stderr.splitlines()[0], f"bench_write_weights: the disk of {made}/transformer has 37.25 GiB free, "
                                                        "what is written there needs 51.46 GiB")
        self.assertFalse(made.exists())
        self.assertEqual(make("--weights", "vae", "--writer", "nowhere/writer").stderr,
                         "make_full_size_folder.py: there is no program nowhere/writer\n  launch/build.sh --all builds it.\n")
        self.assertEqual(make().returncode, 0)
        self.assertEqual(json.loads((made / "transformer" / "config.json").read_text())["num_layers"], 60)
        self.assertEqual(make().stderr, f"error: {made} exists already\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
