"""Runs layerpipe in a control group that limits its memory, as containers and batch systems do.

    python3 tests/launch/cgroup_test.py PROGRAM RUN_SH

A plan names the limit, and what does not fit is refused before it is begun, where the kernel would kill the process.
Skipped (77) where this user may not make control groups with the memory controller. Standard library only.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests" / "data" / "parity" / "plain" / "model"
DEMO = ROOT / "demo"
PICTURE = DEMO / "pictures" / "weather.png"
SKIPPED = 77
MIB = 1 << 20
GROUPS = Path("/sys/fs/cgroup")
NAME = f"layerpipe-test-{os.getpid()}"


class Group:
    """A control group of its own, of version 1 or 2."""

    def __init__(self):
        is_version_1 = (GROUPS / "memory").is_dir()
        self.folder = GROUPS / "memory" / NAME if is_version_1 else GROUPS / NAME
        self.limit_file = self.folder / ("memory.limit_in_bytes" if is_version_1 else "memory.max")

    def __enter__(self):
        self.folder.mkdir()
        return self

    def __exit__(self, *_):
        self.folder.rmdir()

    def join(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))


def may_make_groups():
    try:
        with Group() as group:
            return group.limit_file.exists()
    except OSError:
        return False


def run(group, *arguments, environment=None):
    return subprocess.run([str(word) for word in arguments], preexec_fn=group.join, capture_output=True, text=True, timeout=250,
                          env={**os.environ, **(environment or {})})


def write_large_picture(path, width, height):
    """A PNG of one bit a pixel, all of it black."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = bytes((1 + (width + 7) // 8) * height)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def copy_with_blocks(to, count):
    """A copy of the demo's model with so many transformer blocks, all of them its second one but the last."""
    shutil.copytree(DEMO / "model", to)
    folder = to / "transformer"
    header, content = {}, b""
    for file in sorted(folder.glob("*.safetensors")):
        data = file.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        for name, entry in json.loads(data[8:8 + size]).items():
            if name != "__metadata__":
                header[name] = {**entry, "data_offsets": [offset + len(content) for offset in entry["data_offsets"]]}
        content += data[8 + size:]
        file.unlink()
    (folder / "diffusion_pytorch_model.safetensors.index.json").unlink()
    last = max(int(name.split(".")[1]) for name in header if name.startswith("transformer_blocks."))
    named = [(name, name) for name in header if not name.startswith("transformer_blocks.")]
    for block in range(count):
        prefix = f"transformer_blocks.{last if block == count - 1 else 1}."
        named += [(f"transformer_blocks.{block}.{name.removeprefix(prefix)}", name) for name in header if name.startswith(prefix)]
    entries, parts, end = {}, [], 0
    for name, source in named:
        begin, stop = header[source]["data_offsets"]
        entries[name] = {**header[source], "data_offsets": [end, end + stop - begin]}
        parts.append(content[begin:stop])
        end += stop - begin
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_layers": count}))


class LimitedMemory(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "out"

    def limited(self, mib):
        group = Group()
        group.__enter__()
        self.addCleanup(group.__exit__)
        group.limit_file.write_text(str(mib * MIB))
        return group

    def decompose(self, group, *more, picture=PICTURE):
        return run(group, PROGRAM, "decompose", "--model", MODEL, "--image", picture, "--prompt", "x", "--out", self.out,
                   "--device", "cpu", "--resolution", "64", "--any-resolution", "--steps", "1", "--quiet", *more)

    def free_of(self, table):
        """The column "free", in GiB."""
        return [float(free) for free in re.findall(r"^ +\d+  .*? (\d+\.\d\d) ", table, re.MULTILINE)]

    def test_a_plan_that_does_not_fit_names_the_limit(self):
        planned = run(self.limited(400), PROGRAM, "plan", "--model", MODEL)
        self.assertEqual(planned.returncode, 3, planned.stderr)
        self.assertIn(f"a cgroup limits the memory to 400.00 MiB (/{NAME})", planned.stdout)
        self.assertRegex(planned.stderr, rf"rank 0 lacks .*; a cgroup limits the memory to 400.00 MiB \(/{NAME}\)")

    def test_the_reserve_that_is_proposed_helps(self):
        group = self.limited(300)
        for mib in (300, 400, 600, 800):
            group.limit_file.write_text(str(mib * MIB))
            planned = run(group, PROGRAM, "plan", "--model", MODEL)
            reserve = re.search(r"It would fit with (partition: \{reserve: \d+MiB\}) in the file of --partition", planned.stderr)
            if not reserve:
                continue
            self.assertRegex(planned.stdout, r"may use .* of .* free, since the reserve is to keep 512.00 MiB free: ")
            file = self.out.parent / "p.yaml"
            file.write_text(reserve[1])
            followed = run(group, PROGRAM, "plan", "--model", MODEL, "--partition", file)
            self.assertEqual(followed.returncode, 0, followed.stderr)
            return
        self.fail("no reserve was proposed")

    def test_a_plan_that_fits_counts_within_the_limit(self):
        planned = run(self.limited(3000), PROGRAM, "plan", "--model", MODEL)
        self.assertEqual(planned.returncode, 0, planned.stderr)
        self.assertIn("a cgroup limits the memory to 2.93 GiB", planned.stdout)

    def test_a_run_is_refused_before_it_is_killed(self):
        refused = self.decompose(self.limited(400))
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("a cgroup limits the memory to 400.00 MiB", refused.stderr)
        self.assertFalse((self.out / "run.json").exists())

    def test_a_run_that_fits_is_done(self):
        done = self.decompose(self.limited(3000))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.out / "run.json").exists())

    def test_a_picture_that_is_too_large_is_refused(self):
        picture = self.out.parent / "large.png"
        write_large_picture(picture, 12000, 9000)
        refused = self.decompose(self.limited(600), picture=picture)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertRegex(refused.stderr, rf"large.png, which has 12000 × 9000 pixels, takes 1.01 GiB; the cgroup /{NAME} has ")

    def test_a_merge_that_is_too_large_is_refused(self):
        layers = self.out.parent / "layers"
        layers.mkdir()
        for number in range(2):
            write_large_picture(layers / f"layer_{number}.png", 6000, 4000)
        merge = (PROGRAM, "merge", "--in", layers, "--out", self.out.parent / "merged.png")
        group = self.limited(550)
        refused = run(group, *merge)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertRegex(refused.stderr, rf"merging layers of 6000 × 4000 pixels takes 457.76 MiB; the cgroup /{NAME} has .* of 550.00 MiB free\n"
                                         r"  Raise the cgroup's limit.\n")
        self.assertEqual(sorted(path.name for path in self.out.parent.iterdir()), ["layers"])
        group.limit_file.write_text(str(1000 * MIB))
        self.assertEqual(run(group, *merge).returncode, 0)

    def test_documents_that_are_too_large_are_refused(self):
        picture = self.out.parent / "layer.png"
        write_large_picture(picture, 6000, 4000)
        document = self.out.parent / "edited.ora"
        with zipfile.ZipFile(document, "w") as archive:
            archive.writestr("mimetype", "image/openraster")
            archive.writestr("stack.xml", '<image w="6000" h="4000"><stack><layer name="a" src="data/a.png"/></stack></image>')
            archive.write(picture, "data/a.png")
        export = (PROGRAM, "export", "--in", document, "--out", self.out, "--format")
        group = self.limited(500)
        refused = run(group, *export, "psd,pptx")
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertRegex(refused.stderr, rf"writing layers of 6000 × 4000 pixels takes 5\d\d\.\d\d MiB; the cgroup /{NAME} has .* of 500.00 MiB free\n"
                                         r"  Raise the cgroup's limit, or take --format pptx.\n")
        self.assertFalse(self.out.exists())
        followed = run(group, *export, "pptx")
        self.assertEqual(followed.returncode, 0, followed.stderr)
        group.limit_file.write_text(str(1500 * MIB))
        self.assertEqual(run(group, *export, "psd,pptx", "--overwrite").returncode, 0)

    def test_files_that_stream_and_do_not_stay_in_memory_are_read_from_the_disk(self):
        model = self.out.parent / "model"
        copy_with_blocks(model, 240)
        config = self.out.parent / "p.yaml"
        config.write_text("partition: {reserve: 0MiB}")
        group = self.limited(400)
        options = ("--model", model, "--partition", config, "--resolution", "64", "--any-resolution", "--steps", "1")
        refused = run(group, PROGRAM, "plan", *options, "--memory-limit", "1MiB")
        self.assertEqual(refused.returncode, 3, refused.stderr)
        limit = re.search(r"--memory-limit (\S+iB)", refused.stderr)[1]
        made = run(group, PROGRAM, "decompose", *options, "--memory-limit", limit, "--image", PICTURE, "--prompt", "x", "--out", self.out)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertRegex(made.stderr, rf"Host \S+ has [\d.]+ MiB of memory free \(a cgroup limits the memory to 400.00 MiB \(/{NAME}\)\), of "
                                      r"which the program takes [\d.]+ MiB: the [\d.]+ MiB of files whose weights stream do not stay there "
                                      r"beside it. The speed of the disk decides")
        self.assertTrue((self.out / "run.json").exists())

    def test_ranks_share_a_group(self):
        group = self.limited(6000)
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        planned = run(group, RUN_SH, "-n", "2", "plan", "--model", MODEL, environment=root)
        self.assertEqual(planned.returncode, 0, planned.stderr)
        self.assertIn("Ranks 0 and 1: a cgroup limits the memory to 5.86 GiB", planned.stdout)
        free = self.free_of(planned.stdout)
        self.assertEqual(len(free), 2, planned.stdout)
        self.assertLess(sum(free), 5.86)


if __name__ == "__main__":
    PROGRAM, RUN_SH = sys.argv[1:3]
    if not may_make_groups():
        print("skipped: no control group with the memory controller can be made here")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
