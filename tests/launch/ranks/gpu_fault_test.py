"""Kills and stops a rank on a GPU while it loads, encodes, denoises and decodes.

    gpu_fault_test.py LAYERPIPE

The others have to end within the timeout and some seconds, with exit code 4 and one message that names the rank; afterwards the
memory of the GPUs is as free as before. Skipped (77) on a machine with fewer than two GPUs.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "tools"))
import needs  # noqa: E402

TIMEOUT = 3
# The line of the log after which the rank is broken.
PHASES = {
    "load": r"loading the transformer",
    "encode": r" encode 0 of ",
    "denoise": r" denoise step [1-9]",
    "decode": r" decode 0 of ",
}


def used_mib() -> list[int]:
    text = subprocess.run(["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True,
                          check=True).stdout
    return [int(line) for line in text.split()]


def process_of_rank(program: str, rank: int) -> int:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(program.encode() + b"\0") and (
                    f"OMPI_COMM_WORLD_RANK={rank}".encode() in (entry / "environ").read_bytes().split(b"\0")):
                return int(entry.name)
        except OSError:
            pass
    raise AssertionError(f"rank {rank} does not run")


def break_rank(program: str, model: Path, rank: int, signal_number: int, phase: str, folder: Path) -> str:
    """What is wrong with how the run ends; nothing when it is as it should be."""
    out = folder / f"{phase}_{signal_number}_{rank}"
    process = subprocess.Popen(
        [CHECKOUT / "launch" / "run.sh", "-n", "2", "decompose", "--model", model, "--random-weights", "--image",
         CHECKOUT / "demo" / "pictures" / "weather.png", "--prompt", "a poster", "--out", out, "--resolution", "640", "--layers", "4",
         "--steps", "30", "--num-images", "4" if phase == "decode" else "1", "--timeout", f"{TIMEOUT}s"],
        env=os.environ | {"LAYERPIPE_PROGRAM": program}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log, broken_at = [], None
    for line in process.stderr:
        log.append(line)
        if broken_at is None and re.search(PHASES[phase], line):
            os.kill(process_of_rank(program, rank), signal_number)
            broken_at = time.monotonic()
    code = process.wait()
    if broken_at is None:
        return "the phase was never reached:\n" + "".join(log)
    seconds = time.monotonic() - broken_at
    print(f"{phase}, {signal.Signals(signal_number).name} to rank {rank}: exit {code} after {seconds:.1f} s", flush=True)
    said = [line for line in log if line.startswith("layerpipe:")]
    if code != 4 or len(said) != 1 or f"rank {rank} on host " not in said[0] or seconds > TIMEOUT + 20:
        return f"exit {code} after {seconds:.1f} s, saying:\n" + "".join(log[-10:])
    return ""


def main() -> None:
    program = needs.one_program(__doc__)
    try:
        before = used_mib()
    except (OSError, subprocess.CalledProcessError):
        before = []
    if len(before) < 2:
        print("this machine has no two GPUs")
        sys.exit(77)
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        subprocess.run([sys.executable, CHECKOUT / "tools" / "make_full_size_folder.py", model], check=True)
        for turn, phase in enumerate(PHASES):
            for signal_number in (signal.SIGKILL, signal.SIGSTOP):
                rank = (turn + (signal_number == signal.SIGSTOP)) % 2
                failure = break_rank(program, model, rank, signal_number, phase, Path(scratch))
                time.sleep(1)
                if not failure and (used := used_mib()) != before:
                    failure = f"GPU memory in use: {used} MiB, {before} before"
                if failure:
                    failures.append(f"{phase}, signal {signal_number}, rank {rank}: {failure}")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
