"""What bench_pipeline.py and bench_memory.py share: runs of the program at full size, and what they left in run.json."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PICTURE = CHECKOUT / "demo" / "pictures" / "weather.png"
GIB = 2**30


class RunFailed(Exception):
    pass


class OutOfTime(RunFailed):
    pass


@dataclass
class Run:
    report: dict   # run.json of the first result
    latents: Path  # what --dump-latents wrote, of a run of one picture
    trace: Path    # what --trace wrote
    seconds: float  # of the whole command
    log: list[str]  # what it said

    @property
    def ranks(self) -> list[dict]:
        return self.report["ranks"]

    @property
    def denoise_seconds(self) -> float:
        """Without the loading of weights and the opening of channels."""
        return max(rank["denoise"]["seconds"] for rank in self.ranks)

    @property
    def step_seconds(self) -> float:
        """Of one picture, without the first step, which warms up."""
        steps = self.report["seconds"]["steps"][1:]
        return sum(steps) / len(steps)

    def busy_share(self) -> list[float]:
        return [rank["denoise"]["busy"] / rank["denoise"]["seconds"] for rank in self.ranks]

    @property
    def first_step_seconds(self) -> float:
        """From the start of the work, without loading, to the end of the first step, by rank 0."""
        seconds = self.report["seconds"]
        return seconds["encode"] - seconds["load"]["encode"] + self.part_seconds("denoise", "connect")[0] + seconds["steps"][0]

    def part_seconds(self, phase: str, part: str) -> list[float]:
        """Of the last of a phase's parts of that name ("text encoder", "VAE strips" …) on every rank, by the trace: the first ones
        also load kernels."""
        return [slices[-1]["dur"] / 1e6 for slices in self._parts(phase, part)]

    def span_seconds(self, phase: str, part: str) -> float:
        """From where the first rank begins the first part of that name to where the last one ends the last."""
        slices = sum(self._parts(phase, part), [])
        return (max(one["ts"] + one["dur"] for one in slices) - min(one["ts"] for one in slices)) / 1e6

    @cached_property
    def _slices(self) -> list[dict]:
        """The phases and their parts, of all ranks."""
        events = json.loads(self.trace.read_text())["traceEvents"]
        return [event for event in events if event["ph"] == "X" and "args" not in event]

    def _parts(self, phase: str, name: str) -> list[list[dict]]:
        """By rank, of those that have any; in the order of time."""
        ranks = {}
        for whole in (event for event in self._slices if event["name"] == phase):  # decoding has a part for each result
            ranks.setdefault(whole["pid"], []).extend(
                event for event in self._slices if event["pid"] == whole["pid"] and event["name"] == name
                and whole["ts"] <= event["ts"] < whole["ts"] + whole["dur"])
        return [sorted(inside, key=lambda event: event["ts"]) for inside in ranks.values() if inside]


class Bench:
    """Runs launch/run.sh decompose under `folder`: from the files of `model`, or with random weights of the published sizes."""

    def __init__(self, folder: Path, on_line=None, model: Path | None = None):
        self.folder = folder
        self.on_line = on_line  # called with every line of the program's log
        self.model = model or folder / "model"
        self.weights = [] if model else ["--random-weights"]
        if not self.model.exists():
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, CHECKOUT / "tools" / "make_full_size_folder.py", self.model], check=True)

    def run(self, name: str, ranks: int, *options: str, pictures: int = 1, limit_seconds: float | None = None, on_start=None,
            before_exec=None) -> Run:
        """Of several pictures each is read and encoded, though they are the same. `on_start` is called with the process, `before_exec`
        in it. A run that takes longer than the limit is ended, and has failed."""
        out = self.folder / name
        latents = self.folder / f"{name}.safetensors"
        trace = self.folder / f"{name}.trace.json"
        command = [CHECKOUT / "launch" / "run.sh", "-n", str(ranks), "decompose", "--model", self.model, *self.weights,
                   "--image", *[PICTURE] * pictures, "--prompt", "a poster of the weather, with a sun, a cloud and rain", "--out", out,
                   "--trace", trace]
        command += ["--dump-latents", latents] if pictures == 1 else []
        begin = time.monotonic()
        process = subprocess.Popen([*map(str, command), *options], stderr=subprocess.PIPE, text=True, preexec_fn=before_exec)
        if on_start:
            on_start(process)
        # run.sh ends the ranks.
        timer = threading.Timer(limit_seconds, process.terminate) if limit_seconds is not None else None
        log = []
        try:
            if timer:
                timer.start()
            for line in process.stderr:
                log.append(line)
                if self.on_line:
                    self.on_line(line)
            code = process.wait()
        finally:
            if timer:
                timer.cancel()
            if process.poll() is None:
                process.terminate()
                process.wait()
            process.stderr.close()
        seconds = time.monotonic() - begin
        if code != 0:
            if limit_seconds is not None and seconds >= limit_seconds:
                raise OutOfTime(f"{name} was ended after {seconds:.0f} s")
            raise RunFailed(f"{name} ended with {code}:\n" + "".join(log[-12:]))
        first = out / "0" if pictures > 1 else out
        return Run(json.loads((first / "run.json").read_text()), latents, trace, seconds, log)


def table(heads: list[str], rows: list[list]) -> str:
    """A table in Markdown, its columns as wide as they need."""
    cells = [heads] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)
