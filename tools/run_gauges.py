"""What bench_memory.py watches while the program runs: memory of the GPUs and of the host, and what is read from disks. Standard
library and NVIDIA's management library only."""

import ctypes
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import needs

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


def hold(free: list[float]) -> subprocess.Popen:
    """A process that leaves so many GiB free on each GPU, so that the context and NCCL of others count too."""
    process = subprocess.Popen([sys.executable, "-c", BALLAST, ",".join(map(str, free))], stdout=subprocess.PIPE, text=True)
    if process.stdout.readline() != "ready\n":
        process.kill()
        needs.stop("the ballast could not be held", "Check with nvidia-smi that other programs leave so much memory free on the GPUs.")
    return process


class Gauge:
    """A thread that looks again and again, and knows the phase by the program's log."""

    def __init__(self, interval_seconds: float):
        self.interval_seconds = interval_seconds
        self.phase = PHASES[0]
        self.running = True
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while self.running:
            self.look()
            time.sleep(self.interval_seconds)

    def look(self) -> None:
        raise NotImplementedError

    def line(self, text: str) -> None:
        """A line of the log. What the phase before has let go is gone when a phase says something."""
        for phase in PHASES:
            if f" {phase} " in text and " done in " not in text:
                self.phase = phase

    def end(self) -> None:
        self.running = False
        self.thread.join()


class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class DeviceGauge(Gauge):
    """The most that is in use on each GPU in each phase, beside what was in use when it began, by the driver's count."""

    def __init__(self, devices: int):
        super().__init__(0.003)
        self.nvml = ctypes.CDLL("libnvidia-ml.so.1")
        self.nvml.nvmlInit_v2()
        self.handles = []
        for index in range(devices):
            handle = ctypes.c_void_p()
            self.nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
            self.handles.append(handle)
        self.base = [self.used(handle) for handle in self.handles]
        self.peaks = {phase: [0] * devices for phase in PHASES}
        self.thread.start()

    def used(self, handle) -> int:
        memory = Memory()
        self.nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        return memory.used

    def look(self) -> None:
        phase = self.phase
        for index, handle in enumerate(self.handles):
            self.peaks[phase][index] = max(self.peaks[phase][index], self.used(handle) - self.base[index])


def descendants(root: int, name: str) -> list[int]:
    """Processes of that name among those that `root` started, and those started."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # it has ended
            end = stat.rindex(")")  # a name may hold anything
            pid = int(entry.name)
            names[pid], parents[pid] = stat[stat.index("(") + 1:end], int(stat[end + 2:].split()[1])

    def is_below(pid: int) -> bool:
        while pid not in (0, root):
            pid = parents.get(pid, 0)
        return pid == root

    return [pid for pid in names if names[pid] == name and is_below(pid)]


class HostGauge(Gauge):
    """The most memory that the ranks take of the host together, and what they have read from disks.

    peaks, in bytes: "rss"; of it "anonymous", "shared" and "file"; and what may be pinned: "driver", mappings of NVIDIA's devices and of
    /dev/zero, and "weights", mappings of safetensors files."""

    STATUS = {"VmRSS": "rss", "RssAnon": "anonymous", "RssShmem": "shared", "RssFile": "file"}

    def __init__(self, process: subprocess.Popen, ranks: int, name: str = "layerpipe"):
        super().__init__(0.2)
        self.root, self.ranks, self.name = process.pid, ranks, name
        self.pids: list[int] = []
        self.peaks: dict[str, int] = {}
        self.read_bytes = 0
        self.denoise_begin: tuple[float, int] | None = None
        self.denoise_end: tuple[float, int] | None = None
        self.thread.start()

    def look(self) -> None:
        if len(self.pids) < self.ranks:
            self.pids = descendants(self.root, self.name)
        now: dict[str, int] = {}
        read = 0
        for pid in self.pids:
            try:
                folder = Path("/proc") / str(pid)
                for line in (folder / "status").read_text().splitlines():
                    key, _, value = line.partition(":")
                    if key in self.STATUS:
                        now[self.STATUS[key]] = now.get(self.STATUS[key], 0) + int(value.split()[0]) * 1024
                for line in (folder / "maps").read_text().splitlines():
                    kind = "driver" if "/dev/nvidia" in line or "/dev/zero" in line else "weights" if ".safetensors" in line else None
                    if kind:
                        first, last = line.split(" ", 1)[0].split("-")
                        now[kind] = now.get(kind, 0) + int(last, 16) - int(first, 16)
                for line in (folder / "io").read_text().splitlines():
                    if line.startswith("read_bytes:"):
                        read += int(line.split()[1])
            except OSError:
                continue  # it has ended, or may not be looked at
        for kind, count in now.items():
            self.peaks[kind] = max(self.peaks.get(kind, 0), count)
        self.read_bytes = max(self.read_bytes, read)

    def line(self, text: str) -> None:
        super().line(text)
        if " denoise " in text:
            self.look()
            seen = (time.monotonic(), self.read_bytes)
            if " done in " in text:
                self.denoise_end = seen
            elif self.denoise_begin is None:
                self.denoise_begin = seen

    def denoise_read(self) -> tuple[int, float] | None:
        """Bytes from disks while denoising, and the seconds that this took."""
        if self.denoise_begin is None or self.denoise_end is None:
            return None
        return self.denoise_end[1] - self.denoise_begin[1], self.denoise_end[0] - self.denoise_begin[0]


class MemoryGroup:
    """A control group of its own with so many bytes, of version 1 or 2; the pages that its processes read count in it."""

    def __init__(self, limit_bytes: int):
        groups = Path("/sys/fs/cgroup")
        is_version_1 = (groups / "memory").is_dir()
        self.folder = (groups / "memory" if is_version_1 else groups) / f"layerpipe-bench-{os.getpid()}"
        self.limit_bytes = limit_bytes
        self.limit_file = self.folder / ("memory.limit_in_bytes" if is_version_1 else "memory.max")

    def __enter__(self):
        self.folder.mkdir()
        try:
            self.limit_file.write_text(str(self.limit_bytes))
        except OSError:
            self.folder.rmdir()
            raise
        return self

    def __exit__(self, *_):
        for _ in range(50):  # processes of a run that has just ended are still counted for a moment
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.1)

    def join(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))
