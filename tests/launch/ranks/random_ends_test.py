"""Ends runs of several ranks at random moments: any process of a run, with any signal.

    python3 tests/launch/ranks/random_ends_test.py PROGRAM [--runs N] [--seed N] [--ranks N]

Whoever is hit first (launch/run.sh, its watcher, mpirun, a rank's keeper or its program), all end in time, with the right exit code
and one message that names who it was, and nothing is left: no process, no file in TMPDIR, no shared memory, no part of a result.
Each run is another pair of a process and a signal, until all have had their turn. Standard library only.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 3
# The timeout, what rank keepers hold ends back by, what launch/run.sh gives mpirun; the rest is for a machine that does other things.
LOCK = ".layerpipe.lock"  # which a killed run may leave, and nobody holds any more
LIMIT_SECONDS = 180
# What outlives launch/run.sh, when that one is killed, has to end by itself.
LEAVING_SECONDS = 60
STOPPING = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
WHOLE = ("run.sh", "watcher", "mpirun")


def victims(ranks):
    """(process, signal) for all that can be hit. launch/run.sh is not stopped: that is what Ctrl-Z does, and goes on with fg."""
    pairs = [("run.sh", s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)]
    names = [*WHOLE[1:], *(f"{kind} {rank}" for kind in ("keeper", "program") for rank in range(ranks))]
    return pairs + [(name, s) for name in names for s in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP)]


def read(path):
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def processes(word):
    """The processes that have the word in their command lines: (pid, words)."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            words = read(folder / "cmdline").split(b"\0")
            if any(word in part for part in words):
                found.append((int(folder.name), words))
    return found


class Run:
    def __init__(self, scratch, program, ranks, steps):
        self.scratch, self.program = scratch, program
        self.temporary, self.out = scratch / "tmp", scratch / "out"
        self.temporary.mkdir()
        arguments = ["decompose", "--model", ROOT / "demo/model", "--image", ROOT / "demo/pictures/weather.png", "--prompt", "a sun",
                     "--resolution", "64", "--any-resolution", "--device", "cpu", "--layers", "2", "--steps", str(steps),
                     "--out", self.out, "--timeout", f"{TIMEOUT_SECONDS}s"]
        self.err = scratch / "err"
        self.shared = set()
        self.begin = time.monotonic()
        with open(self.err, "w") as err:
            self.process = subprocess.Popen(
                [ROOT / "launch/run.sh", "-n", str(ranks), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=err, env=os.environ | {"LAYERPIPE_PROGRAM": program, "TMPDIR": str(self.temporary)})

    def all_processes(self):
        return processes(str(self.scratch).encode())

    def note_shared_memory(self):
        self.shared |= {Path("/dev/shm") / folder.name.split(".ranks")[0] for folder in self.temporary.glob("layerpipe.*")}

    def pid_of(self, name):
        """The process of that name, if it runs."""
        if name == "run.sh":
            return self.process.pid
        kind, _, rank = name.partition(" ")
        for pid, words in self.all_processes():
            if pid == self.process.pid:
                continue
            keeps = words[1:2] if words[0].endswith(b"/keeper") else []
            is_kind = {"watcher": keeps == [b"run"], "keeper": keeps == [b"rank"], "program": words[0].decode() == self.program,
                       "mpirun": words[0].endswith((b"mpirun", b"prterun"))}[kind]
            if is_kind and (not rank or f"OMPI_COMM_WORLD_RANK={rank}".encode() in read(Path(f"/proc/{pid}/environ")).split(b"\0")):
                return pid
        return None

    def hit(self, name, number, moment):
        """Sends the signal at that moment, or when the process has come. Whether it did."""
        time.sleep(max(0.0, self.begin + moment - time.monotonic()))
        while self.process.poll() is None:
            self.note_shared_memory()
            pid = self.pid_of(name)
            if pid is not None:
                try:
                    os.kill(pid, number)
                    return True
                except ProcessLookupError:
                    pass
            time.sleep(0.001)
        return False

    def wait(self):
        """The exit code; None when it does not end."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            self.note_shared_memory()
            time.sleep(0.02)
        return self.process.poll()

    def left(self):
        return [*(b" ".join(words)[:120] for _, words in self.all_processes()), *self.temporary.iterdir(),
                *(path for path in self.shared if path.exists())]

    def remove(self):
        for pid, _ in self.all_processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


def expected(name, number, is_done):
    """Exit codes that are right, and what the one message says; a result that is whole may end well all the same."""
    kind, _, rank = name.partition(" ")
    if number == signal.SIGSTOP:
        # A program that is stopped at its end is woken; everything else is, too.
        silent = rf"rank {rank}\b.* has (been silent|not come)|rank {rank}\b.* does not answer"
        return ({4: silent} if kind == "program" else {}) | {0: None}
    if number == signal.SIGKILL:
        said = {"run.sh": "launch/run.sh was killed", "watcher": "watches over mpirun was killed by signal 9",
                "mpirun": "mpirun was killed by signal 9", "keeper": f"keeper of rank {rank} on host .* was killed",
                "program": rf"rank {rank}\b.* was killed by signal 9"}[kind]
        codes = {-9 if kind == "run.sh" else 4: said}
    else:
        code, word = STOPPING[number]
        codes = {code: f"^{word}$" if kind in WHOLE else rf"rank {rank}\b.*({word}|was killed by signal {int(number)})"}
        if kind == "run.sh":
            codes[-number] = None  # before bash has read its first line
    return codes | ({0: None} if is_done else {})


def faults_of(run, name, number, was_hit):
    begin = time.monotonic()
    code = run.wait()
    if code is None:
        return [f"it did not end within {LIMIT_SECONDS} s"]
    until = time.monotonic() + LEAVING_SECONDS
    while run.left() and time.monotonic() < until:
        if (name, number) != ("run.sh", signal.SIGKILL):
            break
        time.sleep(0.05)
    faults = [f"left: {thing}" for thing in run.left()]
    said = run.err.read_text(errors="replace")
    messages = re.findall(r"^layerpipe: (.*)$", said, re.MULTILINE)
    files = [path for path in run.out.rglob("*") if path.is_file() and path.name != LOCK] if run.out.exists() else []
    is_done = any(path.name == "run.json" for path in files)
    codes = expected(name, number, is_done) if was_hit else {0: None}
    if code not in codes:
        faults.append(f"code {code}, not {sorted(codes)}")
    elif codes[code] is None:
        if messages:
            faults.append(f"a message although it ended with {code}")
    elif len(messages) != 1 or not re.search(codes[code], messages[0]):
        faults.append(f"no single message /{codes[code]}/")
    is_cut_off = number == signal.SIGKILL and name in ("program 0", "keeper 0")
    if files and not is_done and not is_cut_off:
        faults.append(f"parts of a result: {[path.name for path in files]}")
    if code == 0 and not is_done:
        faults.append("code 0 without a result")
    print(f"{name:10} {signal.Signals(number).name if was_hit else 'too late':8} code {code:4} after {time.monotonic() - begin:5.1f} s  "
          f"{messages[0][:90] if messages else ''}", flush=True)
    return [f"{fault}\n{said}" for fault in faults]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), options.program, options.ranks, options.steps)
        if run.wait() != 0 or run.left():
            sys.exit(f"FAILED: undisturbed, it ended with {run.process.poll()}, {run.left()}: {run.err.read_text()}")
        usual = time.monotonic() - run.begin
        print(f"undisturbed it takes {usual:.1f} s", flush=True)
    failed, turns = 0, []
    for number in range(options.runs):
        if not turns:
            turns = victims(options.ranks)
            chance.shuffle(turns)
        name, sent = turns.pop()
        moment = chance.uniform(0, 1.1 * usual)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), options.program, options.ranks, options.steps)
            try:
                faults = faults_of(run, name, sent, run.hit(name, sent, moment))
            finally:
                run.remove()
        for fault in faults:
            print(f"FAILED: run {number} ({name}, {signal.Signals(sent).name}, at {moment:.2f} s): {fault}", flush=True)
        failed += bool(faults)
    print(f"{options.runs - failed} of {options.runs} ended as they should")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
