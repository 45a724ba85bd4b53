#!/usr/bin/env python3
"""Runs the published sizes on a GPU made small, each case in turn with its reference, and says whether they are as they have to be.

    tools/bench_memory.py --list
    tools/bench_memory.py --folder full --prepare                             # 55 GB of weights, and 21 in fp8; once
    tools/bench_memory.py --folder full --json memory.json --budget 540s      # all rows; what there is no time for is named
    tools/bench_memory.py --folder full --json memory.json --rows limit12_1024,limit12_640
    tools/bench_memory.py --folder runs --free 22.3,22.3 --pictures 2         # any other GPUs: predicted and used alone, random weights
    tools/bench_memory.py --folder runs --small --rows limit12_640            # on a CPU with the demo's model: tries the script

The weights are safetensors files of random values (tools/make_full_size_folder.py). What the disk of --folder has no room for goes to
--spill, and is linked. The fp8 files hold what `layerpipe quantize` would make of the same values.

A row is measured reference, case, reference, case. A ballast in a process of its own leaves so many GiB free on each GPU ("free"), or
--memory-limit is given ("limit"). Files lie in the page cache; or are dropped from it before each run of the case; or pass through a
control group of 20 GiB, where one can be made, and are dropped behind the reader where not. Seconds a step are those of run.json
without the first step; of several pictures, the whole denoising by picture and step. A predicted peak has to be at least what is used
of the device by the driver's count, context and NCCL included, and at most 1.1 times that, in every phase of every run. Same bits:
SHA-256 of the dumped latents. Host columns are told and not judged.

--json gets everything after each run; rows that it holds already and are not asked for stay. Exits with 1 when a run fails or a target
is missed, with 3 when a row is left for want of time or GPUs. Needs torch (ballast) and NVIDIA's management library.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import needs
import page_cache
from bench_runs import CHECKOUT, GIB, Bench, OutOfTime, Run, RunFailed, table
from run_gauges import PHASES, DeviceGauge, HostGauge, MemoryGroup, hold

LAYERPIPE = Path(os.environ.get("LAYERPIPE_PROGRAM", CHECKOUT / "build" / "layerpipe"))  # as launch/run.sh has it
WRITER = CHECKOUT / "build" / "bench_write_weights"
SMALL_MODEL = CHECKOUT / "demo" / "model"
COMPONENT_GB = {"transformer": 41.0, "text_encoder": 14.3, "vae": 0.3}  # rounded up
FP8_GB = 22.0                                                           # with a copy of the VAE
STEPS = {640: 20, 1024: 6}  # more than ten seconds each on an H200
SUSTAINED_SECONDS = 10
GROUP_BYTES = 20 * GIB
MOST_PREDICTED = 1.1  # of what is used
BLOCKS = 60
SECONDS_OF_A_RUN = {"warm": 45, "dropped": 120, "small": 240}  # until one has been seen
SMALL_OPTIONS = ["--device", "cpu", "--any-resolution"]
SMALL_LIMIT_GIB = 0.508  # of which 0.5 are kept free: some blocks of the demo's model stay


@dataclass(frozen=True)
class Way:
    """How a run is made."""
    dtype: str = "bf16"
    weights: str = "bf16"            # the files: "bf16", "fp8"; or "random" without files
    residency: str | None = None     # None: auto
    free_gib: tuple = ()             # of each device, by ballast
    limit_gib: float | None = None   # --memory-limit
    cache: str = "warm"              # "warm", "dropped" before the run, "small" all the time
    devices: int = 1
    pictures: int = 1

    def options(self) -> list[str]:
        words = ["--dtype", self.dtype]
        words += ["--residency", self.residency] if self.residency else []
        words += ["--memory-limit", f"{self.limit_gib:g}GiB"] if self.limit_gib else []
        return words

    def __str__(self) -> str:
        words = [self.dtype, self.residency or "auto"]
        words += [f"{'+'.join(f'{gib:g}' for gib in self.free_gib)} GiB free"] if self.free_gib else []
        words += [f"limit {self.limit_gib:g} GiB"] if self.limit_gib else []
        words += {"warm": [], "dropped": ["page cache dropped"], "small": ["20 GiB of page cache"]}[self.cache]
        words += [f"{self.devices} GPUs"] if self.devices > 1 else []
        words += [f"{self.pictures} pictures"] if self.pictures > 1 else []
        return ", ".join(words)


@dataclass(frozen=True)
class Targets:
    """What has to hold; None and False: nothing."""
    most_ratio: float | None = None    # the case's seconds a step by the reference's
    least_speed: float | None = None   # the reference's seconds by the case's
    same_bits: bool = False
    most_passing: int | None = None    # blocks that do not stay on their device
    most_weight_gib: float | None = None  # transformer, and modulation table of 50 steps


@dataclass(frozen=True)
class Row:
    name: str
    resolution: int
    way: Way
    reference: Way | None
    targets: Targets = field(default_factory=Targets)
    rounds: int = 2
    steps: int | None = None  # None: STEPS
    layers: int = 4

    @property
    def devices(self) -> int:
        return max(self.way.devices, self.reference.devices if self.reference else 0)

    def ways(self) -> list[tuple[str, Way]]:
        """In the order in which they are measured."""
        one = ([("reference", self.reference)] if self.reference else []) + [("case", self.way)]
        return one * self.rounds


RESIDENT = Way(residency="resident")
FP8 = Way(dtype="fp8", weights="fp8", residency="resident")
TWO = replace(RESIDENT, devices=2)
LIMIT_12 = Way(limit_gib=12)
LIMIT_8 = Way(dtype="fp8", weights="fp8", limit_gib=8)
LIMIT_11 = Way(limit_gib=11, residency="streamed", pictures=2)
ROWS = [
    # What needs the bf16 files first, what needs both after it.
    Row("card32", 1024, Way(free_gib=(31,)), RESIDENT, Targets(same_bits=True, most_passing=0)),
    Row("card24", 1024, Way(free_gib=(22.3,)), RESIDENT, Targets(most_ratio=1.02, same_bits=True)),
    Row("limit12_1024", 1024, LIMIT_12, RESIDENT, Targets(most_ratio=1.05, same_bits=True)),
    Row("limit12_640", 640, LIMIT_12, RESIDENT, Targets(most_ratio=1.05, same_bits=True)),
    Row("limit12_1024_dropped", 1024, replace(LIMIT_12, cache="dropped"), RESIDENT, Targets(same_bits=True), rounds=1),
    Row("limit12_640_dropped", 640, replace(LIMIT_12, cache="dropped"), RESIDENT, Targets(same_bits=True), rounds=1),
    Row("limit12_1024_small", 1024, replace(LIMIT_12, cache="small"), RESIDENT, Targets(same_bits=True), rounds=1, steps=4),
    Row("limit12_640_small", 640, replace(LIMIT_12, cache="small"), RESIDENT, Targets(same_bits=True), rounds=1, steps=4),
    Row("two16_640", 640, Way(free_gib=(15.5, 15.5), devices=2), TWO, Targets(same_bits=True, most_passing=0)),
    Row("two16_1024", 1024, Way(free_gib=(15.5, 15.5), devices=2), TWO, Targets(most_ratio=1.01, same_bits=True, most_passing=2)),
    Row("two11_1024", 1024, replace(LIMIT_11, devices=2), LIMIT_11, Targets(least_speed=1.9, same_bits=True)),
    Row("fp8_1024", 1024, FP8, RESIDENT, Targets(most_ratio=0.92, most_weight_gib=15.5)),
    Row("fp8_640", 640, FP8, RESIDENT, Targets(most_ratio=0.87, most_weight_gib=15.5)),
    Row("fp8_while_loading", 640, replace(FP8, weights="bf16"), FP8, Targets(same_bits=True), rounds=1),
    Row("limit8_fp8_1024", 1024, LIMIT_8, FP8, Targets(same_bits=True)),
    Row("limit8_fp8_640", 640, LIMIT_8, FP8, Targets(same_bits=True)),
]


def in_small(row: Row) -> Row:
    """The same on CPUs with a small model: what is limited streams, nothing is judged but the bits and what stays in the page cache."""
    def way_of(way: Way | None) -> Way | None:
        if way is None:
            return None
        is_limited = bool(way.free_gib or way.limit_gib)
        return replace(way, free_gib=(), limit_gib=SMALL_LIMIT_GIB if is_limited else None)

    return replace(row, way=way_of(row.way), reference=way_of(row.reference), targets=Targets(same_bits=row.targets.same_bits),
                   resolution=64, layers=2, steps=3)


class Budget:
    """Seconds that the whole may take; None: as many as it wants."""

    def __init__(self, seconds: float | None, clock=time.monotonic):
        self.clock, self.begin, self.seconds = clock, clock(), seconds
        self.seen: dict[str, float] = {}  # the longest run with each state of the page cache

    def left(self) -> float | None:
        return None if self.seconds is None else self.seconds - (self.clock() - self.begin)

    def note(self, cache: str, seconds: float) -> None:
        self.seen[cache] = max(self.seen.get(cache, 0), seconds)

    def expected(self, row: Row) -> float:
        return sum(self.seen.get(way.cache, SECONDS_OF_A_RUN[way.cache]) for _, way in row.ways())

    def has_room(self, row: Row) -> bool:
        left = self.left()
        return left is None or self.expected(row) <= left


def place(folder: Path, spill: Path, gigabytes: float, free=lambda path: shutil.disk_usage(path).free) -> Path:
    """The first of both whose disk has room for so much and a GB more."""
    for one in (folder, spill):
        one.mkdir(parents=True, exist_ok=True)
        if free(one) >= (gigabytes + 1) * 1e9:
            return one
    raise RunFailed(f"neither {folder} nor {spill} has room for {gigabytes:g} GB\n  Free some space there, name another folder with --spill, "
                    "or as root give a file system in memory more: mount -o remount,size=60G /dev/shm")


class Models:
    """The folders with weights, made when they are first asked for."""

    def __init__(self, folder: Path, spill: Path, is_small: bool):
        self.folder, self.spill, self.is_small = folder, spill, is_small
        self.made: dict[str, float] = {}  # seconds that making took, by what was made

    def of(self, weights: str) -> Path | None:
        return {"bf16": self.bf16, "fp8": self.fp8, "random": lambda: None}[weights]()

    def bf16(self) -> Path:
        if self.is_small:
            model = self.folder / "model_of_the_demo"  # a copy, whose pages nobody else reads
            if not model.exists():
                shutil.copytree(SMALL_MODEL, model)
            return model
        model = self.folder / "model_with_weights"
        if not model.exists():
            subprocess.run([sys.executable, CHECKOUT / "tools" / "make_full_size_folder.py", model], check=True)
        for component, gigabytes in COMPONENT_GB.items():
            if any((model / component).glob("*.safetensors*")) and self._is_whole(model / component):
                continue
            where = place(self.folder, self.spill, gigabytes)
            if where != self.folder and not (model / component).is_symlink():
                moved = where / f"layerpipe_bench_{component}"
                shutil.rmtree(moved, ignore_errors=True)
                shutil.move(model / component, moved)
                (model / component).symlink_to(moved.resolve())
            self._call(component, [WRITER, "--model", model, "--components", component])
        return model

    def _is_whole(self, folder: Path) -> bool:
        """What was begun and not finished lacks the index, which comes last."""
        return any(folder.glob("*.index.json")) or not any(folder.glob("*-of-*.safetensors"))

    def fp8(self) -> Path:
        link = self.folder / "model_in_fp8"
        if not link.exists():
            source = self.bf16()
            folder = place(self.folder, self.spill, 0.1 if self.is_small else FP8_GB) / "layerpipe_bench_fp8"
            shutil.rmtree(folder, ignore_errors=True)  # with what a call that was killed has left
            folder.mkdir()
            made = folder / "model"
            if self.is_small:
                self._call("fp8", [LAYERPIPE, "quantize", "--model", source, "--out", made])
            else:
                self._write_fp8(source, made)
            link.unlink(missing_ok=True)
            link.symlink_to(made.resolve())
        return link

    def _write_fp8(self, source: Path, made: Path) -> None:
        """The transformer alone: a copy of the others' weights, which quantize makes, would take 15 GB more."""
        subprocess.run([sys.executable, CHECKOUT / "tools" / "make_full_size_folder.py", made], check=True)
        self._call("fp8", [WRITER, "--model", made, "--components", "transformer", "--fp8"])
        for component in ("text_encoder", "vae"):
            shutil.rmtree(made / component)
            (made / component).symlink_to((source / component).resolve())

    def _call(self, what: str, command: list) -> None:
        print(f"making {what} …", flush=True)
        begin = time.monotonic()
        done = subprocess.run([str(word) for word in command])
        if done.returncode != 0:
            raise RunFailed(f"{Path(command[0]).name} ended with {done.returncode}")
        self.made[what] = time.monotonic() - begin
        print(f"{what}: {self.made[what]:.0f} s", flush=True)


def weight_files(model: Path) -> list[Path]:
    return sorted(file.resolve() for file in model.glob("*/*.safetensors"))


def is_on_disk(file: Path) -> bool:
    """Files of a file system in memory have no page cache to be dropped from."""
    kinds = {}
    for line in Path("/proc/mounts").read_text().splitlines():
        kinds[line.split()[1]] = line.split()[2]
    while str(file) not in kinds:
        file = file.parent
    return kinds[str(file)] not in ("tmpfs", "ramfs")


def hash_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class Measuring:
    def __init__(self, folder: Path, models: Models, budget: Budget, extra: list[str], on_gpu: bool):
        self.folder, self.models, self.budget, self.extra, self.on_gpu = folder, models, budget, extra, on_gpu
        self.count = 0

    def measure(self, row: Row, role: str, way: Way) -> dict:
        """One run; its figures."""
        model = self.models.of(way.weights)
        files = [file for file in weight_files(model) if is_on_disk(file)] if model else []
        figures: dict = {"role": role, "way": str(way), "cache": way.cache}
        with contextlib.ExitStack() as stack:
            join = self._prepare_cache(stack, files, way, figures)
            if way.free_gib and self.on_gpu:
                ballast = hold(list(way.free_gib))
                stack.callback(ballast.wait)
                stack.callback(ballast.kill)
            gauges = [DeviceGauge(way.devices)] if self.on_gpu else []
            stack.callback(lambda: [gauge.end() for gauge in gauges])
            self.count += 1
            name = f"{row.name}_{self.count}"
            bench = Bench(self.folder, lambda line: [gauge.line(line) for gauge in gauges], model)
            options = [*way.options(), "--resolution", row.resolution, "--layers", row.layers, "--steps", row.steps or STEPS[row.resolution],
                       *self.extra]
            run = bench.run(name, way.devices, *map(str, options), pictures=way.pictures, limit_seconds=self.budget.left(),
                            on_start=lambda process: gauges.append(HostGauge(process, way.devices)), before_exec=join)
        self.budget.note(way.cache, run.seconds)
        figures |= self._figures(row, way, run, gauges)
        shutil.rmtree(self.folder / name)
        run.latents.unlink(missing_ok=True)
        run.trace.unlink()
        return figures

    def _prepare_cache(self, stack, files: list[Path], way: Way, figures: dict):
        """What the run has to call in its process, if anything."""
        join = None
        if way.cache == "warm":
            page_cache.warm(files)
        else:
            page_cache.drop(files)
            if way.cache == "small":
                try:
                    join = stack.enter_context(MemoryGroup(GROUP_BYTES)).join
                    figures["small_by"] = "control group of 20 GiB"
                except OSError:
                    dropper = subprocess.Popen([sys.executable, CHECKOUT / "tools" / "page_cache.py", "--drop-behind", *files],
                                               stdout=subprocess.PIPE, text=True)
                    stack.callback(dropper.wait)
                    stack.callback(dropper.kill)
                    dropper.stdout.readline()
                    figures["small_by"] = "dropped behind the reader"
        figures["cached_share"] = page_cache.resident_share(files) if files else None
        return join

    def _figures(self, row: Row, way: Way, run: Run, gauges: list) -> dict:
        report = run.report
        host = gauges[-1]
        device = gauges[0] if self.on_gpu else None
        read = host.denoise_read()
        steps = row.steps or STEPS[row.resolution]
        return {
            "seconds": run.seconds,
            "denoise_seconds": run.denoise_seconds,
            "step_seconds": run.step_seconds if way.pictures == 1 else run.denoise_seconds / (steps * way.pictures),
            "steps": report["seconds"]["steps"],
            "load_seconds": report["seconds"]["load"],
            "weight_bytes": report["memory"]["weight_bytes"],
            "passing_blocks": passing_blocks(run.log),
            "residency": report["plan"]["stages"][0]["residency"],
            "plan": report["plan"],
            "latents": hash_of(run.latents) if way.pictures == 1 else None,
            "layers": report["layer_hashes"],
            "device": [{"rank": rank["rank"], "phase": phase, "predicted": rank["predicted_peak_bytes"][phase],
                        "used": device.peaks[phase][rank["rank"]], "allocator": rank["peak_bytes"][phase]}
                       for rank in run.ranks for phase in PHASES] if device else [],
            "host": {"predicted": predicted_host_bytes(report["plan"]), "peaks": host.peaks},
            "disk_read_while_denoising": {"bytes": read[0], "seconds": read[1]} if read else None,
        }


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def of_role(runs: list[dict], role: str) -> list[dict]:
    return [run for run in runs if run["role"] == role]


def ratio(runs: list[dict]) -> float | None:
    if not of_role(runs, "reference") or not of_role(runs, "case"):
        return None
    seconds = [mean([run["step_seconds"] for run in of_role(runs, role)]) for role in ("case", "reference")]
    return seconds[0] / seconds[1]


def table_gib(steps: int = 50, blocks: int = BLOCKS, dim: int = 3072) -> float:
    """Of the modulation table in bf16, by docs/architecture.md: 12 · dim values a block, and 2 · dim of the head, for each step."""
    return steps * (12 * blocks + 2) * dim * 2 / GIB


def passing_blocks(log: list[str]) -> int:
    """Blocks of all ranks that do not stay on their device, by what the program says of its plan."""
    lines = [line for line in log if line.startswith("Weights stream: ") and re.search(r" of \d+ blocks? ", line)]
    return sum(int(count) for line in lines for count in re.findall(r"on rank \d+ (\d+) of \d+", line))


def predicted_host_bytes(plan: dict) -> int:
    """What the program takes of its hosts."""
    return sum(plan["host_bytes"].values())


def judge(targets: Targets, runs: list[dict]) -> list[dict]:
    """What was asked for, what was found, and whether it holds, of a row whose runs have all been made."""
    is_timed = targets.most_ratio is not None or targets.least_speed is not None
    found = []

    def add(what: str, is_held: bool) -> None:
        found.append({"what": what, "held": bool(is_held)})

    relation = ratio(runs)
    if targets.most_ratio is not None:
        add(f"{relation:.3f} of the reference's seconds, at most {targets.most_ratio:g}", relation <= targets.most_ratio)
    if targets.least_speed is not None:
        add(f"{1 / relation:.2f} times as fast as the reference, at least {targets.least_speed:g}", 1 / relation >= targets.least_speed)
    if targets.same_bits:
        bits = {run["latents"] or tuple(run["layers"]) for run in runs}
        add("same bits" if len(bits) == 1 else "OTHER BITS", len(bits) == 1)
    if targets.most_passing is not None:
        count = max(run["passing_blocks"] for run in of_role(runs, "case"))
        add(f"{count} blocks do not stay, at most {targets.most_passing}", count <= targets.most_passing)
    if targets.most_weight_gib is not None:
        held = max(run["weight_bytes"]["transformer"] for run in of_role(runs, "case")) / GIB + table_gib()
        add(f"transformer and table {held:.2f} GiB, at most {targets.most_weight_gib:g}", held <= targets.most_weight_gib)
    for run in runs:
        for peak in run["device"]:
            if not peak["used"] <= peak["predicted"] <= MOST_PREDICTED * peak["used"]:
                add(f"{run['role']}, rank {peak['rank']}, {peak['phase']}: {peak['predicted'] / GIB:.2f} GiB predicted, "
                    f"{peak['used'] / GIB:.2f} used", False)
        if run["cache"] != "warm" and run["cached_share"] is None:
            add("the files lie in memory, from which nothing can be dropped", False)
        elif run["cache"] != "warm" and run["cached_share"] > 0:
            add(f"{run['cached_share']:.1%} of the files stayed in the page cache when they were dropped", False)
        if is_timed and run["denoise_seconds"] < SUSTAINED_SECONDS:
            add(f"{run['role']}: {run['denoise_seconds']:.1f} s of denoising, not {SUSTAINED_SECONDS}", False)
    return found


HEADS = ["row", "px", "case", "s a step", "reference", "ratio", "blocks that pass", "device GiB, predicted", "used", "host GiB, predicted", "RSS",
         "pinned at most", "from disk GB/s", "what had to hold"]


def line_of(record: dict) -> list:
    """A row of the table, of a record of the JSON file."""
    row, runs = record["row"], record["runs"]
    cases = of_role(runs, "case")
    if not cases:
        return [row["name"], row["resolution"], record["way"], *[""] * (len(HEADS) - 4), record.get("failure", "not measured").split("\n")[0]]
    peaks = max(cases, key=lambda run: max((peak["used"] for peak in run["device"]), default=0))["device"]
    worst = max(peaks, key=lambda peak: peak["used"], default=None)
    host = {kind: max(run["host"]["peaks"].get(kind, 0) for run in cases) / GIB for kind in ("rss", "driver", "weights")}
    read = cases[-1]["disk_read_while_denoising"]
    references = of_role(runs, "reference")
    relation = ratio(runs)
    missed = [one["what"] for one in record["judged"] if not one["held"]]
    held = [one["what"] for one in record["judged"] if one["held"]]
    return [row["name"], row["resolution"], record["way"], ", ".join(f"{run['step_seconds']:.4f}" for run in cases),
            ", ".join(f"{run['step_seconds']:.4f}" for run in references), f"{relation:.3f}" if relation else "",
            max(run["passing_blocks"] for run in cases),
            f"{worst['predicted'] / GIB:.2f}" if worst else "", f"{worst['used'] / GIB:.2f}" if worst else "",
            f"{max(run['host']['predicted'] for run in cases) / GIB:.2f}", f"{host['rss']:.2f}",
            f"{host['driver'] + host['weights']:.2f}", f"{read['bytes'] / read['seconds'] / 1e9:.2f}" if read and read["seconds"] > 0 else "",
            record.get("failure", "").split("\n")[0] or "; ".join(["MISSED: " + what for what in missed] + held) or "it runs"]


def is_missed(record: dict) -> bool:
    return "failure" in record or any(not one["held"] for one in record["judged"])


def other_bits(records: list[dict]) -> list[str]:
    """Sizes of which not all runs with one dtype have the same latents."""
    found: dict[tuple, set] = {}
    for record in records:
        for run in record["runs"]:
            if run["latents"]:
                size = record["row"]["resolution"], record["row"]["layers"], len(run["steps"]), run["way"].split(",")[0]
                found.setdefault(size, set()).add(run["latents"])
    return [f"{dtype}, {resolution} px, {layers} layers, {steps} steps: {len(hashes)} different latents"
            for (resolution, layers, steps, dtype), hashes in found.items() if len(hashes) > 1]


def write_json(path: Path | None, records: dict, models: Models) -> None:
    if path is None:
        return
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps({"made_seconds": models.made, "rows": list(records.values())}, indent=1) + "\n")
    beside.replace(path)


def read_json(path: Path | None) -> dict:
    """Records of earlier calls, by name."""
    if path is None or not path.exists():
        return {}
    return {record["row"]["name"]: record for record in json.loads(path.read_text())["rows"]}


def measure_rows(rows: list[Row], measuring: Measuring, gpus: int | None, keep) -> list[tuple[str, str]]:
    """Calls keep(record) after each run; gives the rows that are left, and why."""
    left = []
    for row in rows:
        if gpus is not None and row.devices > gpus:
            left.append((row.name, f"it needs {row.devices} GPUs, and this machine has {gpus or 'none'}"))
            continue
        if not measuring.budget.has_room(row):
            left.append((row.name, f"it takes about {measuring.budget.expected(row):.0f} s, and {max(0, measuring.budget.left()):.0f} are left"))
            continue
        record = {"row": asdict(row), "way": str(row.way), "reference": str(row.reference) if row.reference else None, "runs": [], "judged": []}
        try:
            for role, way in row.ways():
                record["runs"].append(measuring.measure(row, role, way))
                keep(record)
            record["judged"] = judge(row.targets, record["runs"])
        except OutOfTime:
            left.append((row.name, "there was no time for all of its runs"))
            record["failure"] = "not all of its runs"
        except RunFailed as failure:
            record["failure"] = f"MISSED: {str(failure).strip()}"
        keep(record)
        print(f"{row.name}: {record.get('failure') or line_of(record)[-1]}", flush=True)
    return left


def seconds_of(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds such as 540s")
    return float(found[1])


def rows_of(text: str) -> list[Row]:
    known = {row.name: row for row in ROWS}
    for name in text.split(","):
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no row {name}; --list names them")
    return [row for row in ROWS if row.name in text.split(",")]  # in the order in which files are needed


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the rows, and what has to hold")
    parser.add_argument("--folder", type=Path, help="where weights and runs go")
    parser.add_argument("--spill", type=Path, default=Path("/dev/shm"), help="where weights go that --folder has no room for; default: /dev/shm")
    parser.add_argument("--prepare", action="store_true", help="only make the weights of the rows")
    parser.add_argument("--rows", type=rows_of, default=ROWS, metavar="NAME,…")
    parser.add_argument("--rounds", type=int, metavar="N", help="of each row, in place of its own")
    parser.add_argument("--budget", type=seconds_of, metavar="SECONDS", help="such as 540s: what does not fit in is left")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--small", action="store_true", help="on a CPU with the demo's model")
    parser.add_argument("--free", metavar="GIB,GIB,…", help="instead of the rows: GPUs with so much free")
    parser.add_argument("--resolution", type=int, default=1024, help="of --free")
    parser.add_argument("--pictures", type=int, default=3, help="of --free: so many that some are in the pipeline together")
    parser.add_argument("--option", nargs=argparse.REMAINDER, default=[], help="the rest goes to layerpipe decompose")
    args = parser.parse_args(arguments)
    if not args.list and args.folder is None:
        parser.error("--folder is missing")
    if args.free:
        free = tuple(float(gib) for gib in args.free.split(","))
        way = Way(weights="random", free_gib=free, devices=len(free), pictures=args.pictures)
        args.rows = [Row("free", args.resolution, way, None, rounds=1, steps=2)]
    if args.rounds is not None and args.rounds < 1:
        parser.error("--rounds is at least 1")
    if args.rounds:
        args.rows = [replace(row, rounds=args.rounds) for row in args.rows]
    if args.small:
        args.rows = [in_small(row) for row in args.rows]
    return args


def main(arguments: list[str]) -> int:
    args = parse(arguments)
    if args.list:
        print(table(["row", "px", "case", "reference", "what has to hold"],
                    [[row.name, row.resolution, row.way, row.reference or "",
                      ", ".join(f"{name} {value}" for name, value in asdict(row.targets).items() if value is not None and value is not False)]
                     for row in args.rows]))
        return 0
    gpus = None if args.small else needs.gpu_count()
    if not args.small and not args.prepare:
        needs.gpus(1)
        if any(row.way.free_gib for row in args.rows):
            needs.packages("torch")
    budget = Budget(args.budget)
    args.folder.mkdir(parents=True, exist_ok=True)
    models = Models(args.folder, args.spill, args.small)
    if args.prepare:
        try:
            for weights in sorted({way.weights for row in args.rows for _, way in row.ways()}):  # bf16 before fp8
                models.of(weights)
        except RunFailed as failure:
            print(f"error: {failure}", file=sys.stderr)
            return 1
        return 0
    records = read_json(args.json)
    measuring = Measuring(args.folder, models, budget, [*(SMALL_OPTIONS if args.small else []), *args.option], on_gpu=not args.small)

    def keep(record: dict) -> None:
        records[record["row"]["name"]] = record
        write_json(args.json, records, models)

    left = measure_rows(args.rows, measuring, gpus, keep)
    print(table(HEADS, [line_of(record) for record in records.values()]))
    for name, why in left:
        print(f"left: {name}: {why}")
    measured = [records[row.name] for row in args.rows if row.name in records and row.name not in dict(left)]
    different = other_bits(measured)
    for size in different:
        print(f"OTHER BITS: {size}")
    return 1 if different or any(map(is_missed, measured)) else 3 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
