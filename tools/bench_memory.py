#!/usr/bin/env python3
"""Holds what is predicted of device memory against what is used, on GPUs made as small as is asked for.

    python3 tools/bench_memory.py --free 15.5,15.5,15.5,15.5 --free 22.3,22.3 --resolution 1024 --json memory.json

A ballast in a process of its own leaves so many GiB free on each GPU, so that the context and NCCL count too. The driver is asked
every few milliseconds how much is in use beside the ballast. One row for every rank and phase. Exits with 1 when a run fails, and
when more is used than was predicted or less than ten elevenths of it. Needs torch and NVIDIA's management library.
"""

import argparse
import ctypes
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import needs
from bench_runs import GIB, Bench, RunFailed, table

PHASES = ["encode", "denoise", "decode"]

BALLAST = """
import sys, time, torch
held = []
for device, gib in enumerate(sys.argv[1].split(",")):
    torch.cuda.set_device(device)
    torch.zeros(1, device="cuda")
    while (excess := int(torch.cuda.mem_get_info()[0] - float(gib) * 2**30)) >= 2**21:
        held.append(torch.empty(min(excess, 8 * 2**30), dtype=torch.uint8, device="cuda"))
print("ready", flush=True)
time.sleep(86400)
"""


class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class Gauge:
    """The most that is in use on each GPU in each phase, beside what was in use when it began."""

    def __init__(self, devices: int):
        self.nvml = ctypes.CDLL("libnvidia-ml.so.1")
        self.nvml.nvmlInit_v2()
        self.handles = []
        for index in range(devices):
            handle = ctypes.c_void_p()
            self.nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
            self.handles.append(handle)
        self.base = [self.used(handle) for handle in self.handles]
        self.phase = PHASES[0]
        self.peaks = {phase: [0] * devices for phase in PHASES}
        self.running = True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def used(self, handle) -> int:
        memory = Memory()
        self.nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        return memory.used

    def watch(self) -> None:
        while self.running:
            phase = self.phase
            for index, handle in enumerate(self.handles):
                now = self.used(handle) - self.base[index]
                self.peaks[phase][index] = max(self.peaks[phase][index], now)
            time.sleep(0.003)

    def line(self, text: str) -> None:
        """A line of the program's log. What the phase before has let go is gone when a phase says something."""
        for phase in PHASES:
            if f" {phase} " in text and " done in " not in text:
                self.phase = phase

    def end(self) -> dict[str, list[int]]:
        self.running = False
        self.thread.join()
        return self.peaks


def hold(free: str) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", BALLAST, free], stdout=subprocess.PIPE, text=True)
    if process.stdout.readline() != "ready\n":
        sys.exit("error: the ballast could not be held")
    return process


def measure(folder: Path, free: str, resolution: int, pictures: int, options: list[str]) -> list[dict]:
    devices = free.count(",") + 1
    ballast = hold(free)
    try:
        gauge = Gauge(devices)
        try:
            run = Bench(folder, gauge.line).run("run", devices, "--resolution", str(resolution), "--steps", "2", *options,
                                                 pictures=pictures)
        finally:
            peaks = gauge.end()
    finally:
        ballast.kill()
        ballast.wait()
    residency = run.report["plan"]["stages"][0]["residency"]
    rows = []
    for index, rank in enumerate(run.ranks):
        for phase in PHASES:
            rows.append({"free": free, "resolution": resolution, "rank": rank["rank"], "phase": phase, "residency": residency,
                         "blocks": run.report["plan"]["stages"][index]["blocks"],
                         "predicted": rank["predicted_peak_bytes"][phase], "used": peaks[phase][rank["rank"]],
                         "allocator": rank["peak_bytes"][phase]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--free", action="append", required=True, metavar="GIB,GIB,…")
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--pictures", type=int, default=3, help="so many that some are in the pipeline together")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--option", nargs=argparse.REMAINDER, default=[], help="the rest goes to layerpipe decompose")
    args = parser.parse_args()
    needs.packages("torch")
    needs.gpus(max(free.count(",") + 1 for free in args.free))
    rows, failed = [], False
    with tempfile.TemporaryDirectory() as scratch:
        for free in args.free:
            try:
                rows += measure(Path(scratch), free, args.resolution, args.pictures, args.option)
            except RunFailed as failure:
                failed = True
                print(f"{free}: {failure}", flush=True)
            if args.json:
                args.json.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(["free GiB", "rank", "blocks", "residency", "phase", "predicted GiB", "used GiB", "predicted / used", "predicted - used, MiB"],
                [[row["free"], row["rank"], f"{row['blocks'][0]}-{row['blocks'][1] - 1}", json.dumps(row["residency"]).strip('"'),
                  row["phase"], f"{row['predicted'] / GIB:.2f}", f"{row['used'] / GIB:.2f}",
                  f"{row['predicted'] / row['used']:.3f}" if row["used"] else "",
                  f"{(row['predicted'] - row['used']) / 2**20:.0f}"] for row in rows]))
    sys.exit(failed or any(not row["used"] <= row["predicted"] <= 1.1 * row["used"] for row in rows))


if __name__ == "__main__":
    main()
