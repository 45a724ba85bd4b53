"""Runs layerpipe over two hosts: network namespaces of this machine that reach each other over a cable of their own.

    python3 tests/launch/ranks/two_hosts_test.py PROGRAM

They give the same bits as one rank; and when the cable is cut, the run ends in time, with our message and exit code.
Skipped (77) where this user may not make network namespaces. Standard library only.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import needs  # noqa: E402

SKIPPED = 77
HOSTS = {"lphost-a": "10.213.77.1", "lphost-b": "10.213.77.2"}
TIMEOUT_SECONDS = 3

# In place of ssh, with its arguments, the host and a command for a shell there: enters the namespace of that address, under a host name of its own.
AGENT = """#!/bin/bash
case "$1" in {cases} esac
shift
exec ip netns exec "$name" unshare --uts bash -c "hostname $name; $*"
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def cable(state):
    ip("-n", "lphost-b", "link", "set", "cable-b", state)


class TwoHosts:
    def __enter__(self):
        self.remove()
        for name in HOSTS:
            ip("netns", "add", name)
        ip("link", "add", "cable-a", "netns", "lphost-a", "type", "veth", "peer", "name", "cable-b", "netns", "lphost-b")
        for name, address in HOSTS.items():
            ip("-n", name, "addr", "add", address + "/24", "dev", "cable-" + name[-1])
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "cable-" + name[-1], "up")
        return self

    def __exit__(self, *_):
        self.remove()

    @staticmethod
    def remove():
        for name in HOSTS:
            # mpirun's daemon on the host that was lost knows nothing of it for two minutes.
            for pid in subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split():
                os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(what)


def arguments(out, *more):
    return ["decompose", "--model", ROOT / "demo/model", "--image", ROOT / "demo/pictures/weather.png", "--prompt", "a sun",
            "--resolution", "128", "--any-resolution", "--out", out, *more]


def start(scratch, program, command):
    """Starts run.sh on the first host, with one rank there and two on the other."""
    agent = scratch / "agent.sh"
    agent.write_text(AGENT.format(cases=" ".join(f"{address}) name={name} ;;" for name, address in HOSTS.items())))
    agent.chmod(0o755)
    slots = scratch / "hosts"
    slots.write_text("".join(f"{address} slots={n}\n" for n, address in enumerate(HOSTS.values(), start=1)))
    # Into a file: a daemon that outlives the run would hold a pipe open.
    with open(scratch / "err", "w") as err:
        return subprocess.Popen(
            [agent, HOSTS["lphost-a"], shlex.join(map(str, [ROOT / "launch/run.sh", "--hostfile", slots, *command]))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
            env=os.environ | {"OMPI_MCA_plm_rsh_agent": str(agent), "LAYERPIPE_PROGRAM": program})


def check_bits(scratch, program):
    alone, together = scratch / "alone.safetensors", scratch / "together.safetensors"
    command = arguments(scratch / "out", "--steps", "3", "--dump-latents")
    subprocess.run([program, *command, alone], check=True, capture_output=True)
    run = start(scratch, program, [*command, together])
    run.wait(timeout=60)
    said = (scratch / "err").read_text()
    check(run.returncode == 0, f"three ranks on two hosts end well{'' if run.returncode == 0 else ': ' + said}")
    check(all(name in said for name in HOSTS), "the plan names both hosts")
    check(alone.read_bytes() == together.read_bytes(), "they give the same bits as one rank")


def check_cut(scratch, program):
    out = scratch / "cut"
    run = start(scratch, program, arguments(out, "--steps", "1000", "--timeout", f"{TIMEOUT_SECONDS}s"))
    err = scratch / "err"
    deadline = time.monotonic() + 60
    while "denoise step" not in err.read_text():
        if run.poll() is not None or time.monotonic() > deadline:
            sys.exit("FAILED: the run did not begin: " + err.read_text())
        time.sleep(0.1)
    time.sleep(1)  # the ranks have told each other what they are at
    cable("down")
    begin = time.monotonic()
    try:
        run.wait(timeout=90)
    except subprocess.TimeoutExpired:
        run.kill()
        sys.exit("FAILED: the run went on without its other host: " + err.read_text())
    took = time.monotonic() - begin
    said = err.read_text()
    check(run.returncode == 4, f"without the cable it ends with 4{'' if run.returncode == 4 else ': ' + said}")
    # The timeout, the two seconds that run.sh holds the end back by, the ten that mpirun is given.
    check(took < TIMEOUT_SECONDS + 25, f"after {took:.0f} s")
    check(len(re.findall("^layerpipe: ", said, re.MULTILINE)) == 1, "with one message")
    check(re.search(r"rank [12] on host lphost-b \(stage [12]: denoise, [^)]*\) has been silent for", said),
          "that names a rank and the host")
    check(all(path.name == ".layerpipe.lock" for path in out.iterdir()), "and writes nothing")


def main():
    program = needs.one_program(__doc__)
    try:
        with TwoHosts(), tempfile.TemporaryDirectory() as folder:
            check_bits(Path(folder), program)
            check_cut(Path(folder), program)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        if error.cmd[0] != "ip" if isinstance(error, subprocess.CalledProcessError) else error.filename != "ip":
            raise
        print("skipped: network namespaces cannot be made here (that takes root and the program ip)")
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
