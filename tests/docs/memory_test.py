"""Whether docs/memory.md says what the planner counts: its formulas, and its tables.

    python3 tests/docs/memory_test.py LAYERPIPE [--write]

The formulas are evaluated as they stand on the page and compared with `LAYERPIPE plan --json` for the published sizes. The tables are made from such
plans; --write puts them into the page. Standard library only.
"""

import ast
import json
import math
import re
import subprocess
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "memory.md"
GIB = 1 << 30
# A card as it is sold, and what is free of it.
CARDS = [("8 GB", "7.5GiB"), ("12 GB", "11.5GiB"), ("16 GB", "15.5GiB"), ("24 GB", "22.3GiB"), ("32 GB", "31GiB"), ("48 GB", "47GiB"),
         ("80 GB", "79GiB"), ("two of 12 GB", "11.5GiB,11.5GiB"), ("two of 16 GB", "15.5GiB,15.5GiB")]
COLUMNS = [("bf16", 640), ("bf16", 1024), ("fp8", 640), ("fp8", 1024)]
BEGIN = "<!-- written by tests/docs/memory_test.py: {} -->\n"
END = "<!-- end -->"


@cache
def folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


@cache
def model() -> Path:
    made = Path(folder().name) / "model"
    subprocess.run([sys.executable, ROOT / "tools" / "make_full_size_folder.py", made], check=True)
    return made


def plan_output(devices: str, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run([LAYERPIPE, "plan", "--model", model(), "--random-weights", "--devices", devices, *more], capture_output=True, text=True)


@cache
def plan(devices: str, *more: str) -> dict:
    return json.loads(plan_output(devices, *more, "--json").stdout)


@cache
def passing_blocks(devices: str, *more: str) -> int:
    """How many blocks of rank 0 pass through its device."""
    found = re.search(r"on rank 0 (\d+) of \d+ blocks", plan_output(devices, *more).stdout)
    return int(found[1]) if found else 0


def of_picture(dtype: str, resolution: int, layers: int = 4) -> list[str]:
    return ["--dtype", dtype, "--resolution", str(resolution), "--layers", str(layers)]


def peaks(stage: dict) -> dict[str, int]:
    return stage["predicted_peak_bytes"]


def text_of(residency) -> str:
    """What is done with the transformer and, where it streams, with the text encoder."""
    if isinstance(residency, str):
        return residency
    return residency["transformer"] + (", text too" if residency["text_encoder"] == "streamed" else "")


def cell(devices: str, dtype: str, resolution: int) -> str:
    made = plan(devices, *of_picture(dtype, resolution))
    if not made["fits"]:
        return "does not fit"
    most = max(max(peaks(stage).values()) for stage in made["stages"])
    return f"{text_of(made['stages'][0]['residency'])}: {most / GIB:.2f}"


def table(head: list[str], rows: list[list[str]], numbers_from: int) -> str:
    lines = [head, ["---" if i < numbers_from else "--:" for i in range(len(head))], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


# Seconds a step by card, of tools/bench_memory.py (docs/performance.md): a table of figures, not something that the program knows.
MEASURED = {
    "8 GB": "fp8: 0.628, 2.448",
    "12 GB": "bf16: 0.722, 2.721",
    "24 GB": "bf16: -, 2.709",
    "32 GB": "bf16: -, 2.644",
    "48 GB": "bf16: 0.720, 2.708; fp8: 0.623, 2.430",
    "80 GB": "bf16: 0.720, 2.708; fp8: 0.623, 2.430",
}


def cards_table() -> str:
    head = ["card", "free", *(f"{dtype}, {resolution} px" for dtype, resolution in COLUMNS), "seconds a step"]
    rows = [[name, free.replace("GiB", "").replace(",", " + "), *(cell(free, *column) for column in COLUMNS), MEASURED.get(name, "not measured")]
            for name, free in CARDS]
    return table(head, rows, 7)


def phases_table() -> str:
    rows = []
    for dtype in ("bf16", "fp8"):
        for resolution in (640, 1024):
            for layers in (2, 4, 8):
                made = peaks(plan("100GiB", *of_picture(dtype, resolution, layers), "--residency", "phased")["stages"][0])
                rows.append([dtype, str(resolution), str(layers), *(f"{made[phase] / GIB:.2f}" for phase in ("encode", "denoise", "decode"))])
    return table(["dtype", "px", "layers", "encode", "denoise", "decode"], rows, 1)


def streaming_table() -> str:
    passing = passing_blocks("12GiB", *of_picture("bf16", 1024))
    block = page_values(layers=4, width=1024, height=1024, rows=50)["block"]
    rows = [[str(passing), f"{passing * block / GIB:.1f}", f"{passing * block / 1e9 / 2.74:.1f}"]]
    return table(["blocks that pass, of 60", "GiB a step", "GB/s that hide behind a step of 2.74 s"], rows, 0)


TABLES = {"cards": cards_table, "phases": phases_table, "streaming": streaming_table}


def with_tables(page: str) -> str:
    """The page with its tables made anew."""
    for name, make in TABLES.items():
        begin = page.index(BEGIN.format(name)) + len(BEGIN.format(name))
        page = page[:begin] + make() + page[page.index(END, begin):]
    return page


@cache
def formulas() -> list[tuple[str, str]]:
    """The page's, in their order, as Python writes them."""
    block = PAGE.read_text(encoding="utf-8").split("## The formulas")[1].split("```")[1]
    found = []
    for line in filter(None, block.splitlines()):
        name, _, expression = line.partition(" = ")
        found.append((name, re.sub(r"(\d+) MiB", r"(\1 * MiB)", expression).replace("·", "*")))
    return found


def page_values(**given: float) -> dict[str, float]:
    values = {"MiB": 1 << 20, "ceil": math.ceil, "max": max, "kept": 0, "places": 2, **given}
    for name, expression in formulas():
        values[name] = eval(compile(ast.parse(expression, mode="eval"), str(PAGE), "eval"), {"__builtins__": {}}, values)
    return values


class Formulas(unittest.TestCase):
    """Each is within 0.03 GiB of the plan, and within 1 %."""

    def near(self, formula: float, planned: int, what: str):
        self.assertLess(abs(formula - planned), min(0.03 * GIB, 0.01 * planned), f"{what}: {formula / GIB:.3f} by the page, {planned / GIB:.3f} GiB planned")

    def test_of_one_device(self):
        for resolution in (640, 1024):
            for layers in (1, 4, 8):
                for steps in (10, 50):
                    values = page_values(layers=layers, width=resolution, height=resolution, rows=steps)
                    for dtype, formula in (("bf16", "denoise"), ("fp8", "denoise_fp8")):
                        made = plan("100GiB", *of_picture(dtype, resolution, layers), "--residency", "phased", "--steps", str(steps))
                        what = f"{dtype}, {resolution} px, {layers} layers, {steps} steps"
                        self.near(values[formula], peaks(made["stages"][0])["denoise"], what)
                        self.near(values["encode"], peaks(made["stages"][0])["encode"], what)

    def test_of_streaming(self):
        seen = set()
        for devices in ("9GiB", "12GiB", "20GiB", "26GiB"):
            for resolution in (640, 1024):
                arguments = [*of_picture("bf16", resolution), "--residency", "streamed"]
                kept = 60 - passing_blocks(devices, *arguments)
                self.assertLess(kept, 60)
                places = 1 if 60 - kept <= 60 // 8 else 2
                seen.add(places)
                values = page_values(layers=4, width=resolution, height=resolution, rows=50, kept=kept, places=places)
                self.near(values["denoise_streamed"], peaks(plan(devices, *arguments)["stages"][0])["denoise"], f"{devices}, {resolution} px, {kept} kept")
        self.assertEqual(seen, {1, 2})

    def test_of_two_devices(self):
        values = page_values(layers=4, width=1024, height=1024, rows=50)
        made = plan("100GiB,100GiB", *of_picture("bf16", 1024), "--residency", "phased")
        self.assertEqual([stage["blocks"] for stage in made["stages"]], [[0, 30], [30, 60]])
        both = sum(peaks(stage)["denoise"] for stage in made["stages"])
        # Each has a part of the blocks, the table and the state, and three boundaries.
        pictures = values["rotary"] + values["state"]
        by_page = (2 * (values["context"] + values["channels"] + values["workspace"] + 3 * values["boundary"]) + values["transformer"] + values["table"] +
                   pictures)
        self.near(by_page, both, "two devices together")

    def test_host_memory(self):
        self.assertEqual(plan("100GiB", *of_picture("bf16", 1024))["host_bytes"], {"localhost": 96 << 20})
        self.assertEqual(plan("12GiB", *of_picture("bf16", 1024))["host_bytes"], {"localhost": 192 << 20})


class Tables(unittest.TestCase):
    def test_are_those_of_the_plans(self):
        page = PAGE.read_text(encoding="utf-8")
        self.assertEqual(page, with_tables(page), "Write them again: python3 tests/docs/memory_test.py build/layerpipe --write")


if __name__ == "__main__":
    LAYERPIPE = Path(sys.argv[1]).resolve()
    if sys.argv[2:] == ["--write"]:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        unittest.main(argv=sys.argv[:1] + sys.argv[2:])
