"""bench_forward as far as a CPU goes: sustained timing, and two builds in turn.

    python3 tests/tools/bench_forward_test.py BENCH_FORWARD

Standard library only.
"""

import json
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = Path(sys.argv[1]).resolve()
SMALL = ["--device", "cpu", "--dtype", "fp32", "--blocks", "1", "--resolution", "32", "--text-tokens", "4", "--layers", "1"]


def run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *SMALL, *words], capture_output=True, text=True, timeout=120)


class Sustained(unittest.TestCase):
    def test_the_second_half_is_timed(self):
        begin = time.monotonic()
        made = json.loads(run("--seconds", "1", "--json").stdout)
        self.assertGreaterEqual(made["calls"], 1)
        self.assertLess(made["calls"] * made["seconds"]["min"], time.monotonic() - begin)
        self.assertNotIn("watts", made, "nobody measures the power of a CPU")

    def test_as_many_calls_as_are_asked_for(self):
        self.assertEqual(json.loads(run("--repeat", "3", "--json").stdout)["calls"], 3)


class Against(unittest.TestCase):
    """Another build that answers what it is told to, and notes how it is called."""

    def other(self, folder: Path, answer: str, options: str = "--seconds") -> Path:
        build = folder / "it's an old build"
        build.mkdir()
        program = build / "bench_forward"
        program.write_text(f"#!/bin/sh\nif [ \"$1\" = --help ]; then echo '{options}'; exit 0; fi\n"
                           f"echo \"$*\" >> '{folder}/calls'\n{answer}\n")
        program.chmod(0o755)
        return build

    def test_in_turn_with_the_same_options(self):
        with tempfile.TemporaryDirectory() as folder:
            build = self.other(Path(folder), """echo '{"seconds": {"median": 1000}, "sm_mhz": 1640, "watts": 699.6}'""")
            done = run("--seconds", "1", "--rounds", "2", "--against", str(build))
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            self.assertEqual([line.split(":")[0] for line in lines[:4]], ["this build", str(build)] * 2)
            self.assertEqual(lines[1], f"{build}: 1000.0000 s, 1640 MHz, 700 W")
            self.assertRegex(lines[4], r"^0\.00\d\d of the seconds of ")
            calls = (Path(folder) / "calls").read_text().splitlines()
            self.assertEqual(len(calls), 2)
            for word in ("--dtype fp32", "--resolution 32", "--text-tokens 4", "--seconds 1", "--json"):
                self.assertIn(word, calls[0])

    def test_one_that_knows_no_seconds_takes_as_long(self):
        with tempfile.TemporaryDirectory() as folder:
            build = self.other(Path(folder), """echo '{"seconds": {"median": 1}}'""", options="--repeat")
            done = run("--seconds", "1", "--rounds", "1", "--against", str(build))
            self.assertEqual(done.returncode, 0, done.stderr)
            call = (Path(folder) / "calls").read_text()
            self.assertNotIn("--seconds", call)
            self.assertRegex(call, r"--repeat \d+")

    def test_one_that_fails_or_is_not_there(self):
        with tempfile.TemporaryDirectory() as folder:
            build = self.other(Path(folder), "exit 3")
            self.assertEqual(run("--seconds", "1", "--against", str(build)).returncode, 3)
            done = run("--against", folder)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.splitlines()[0], f"bench_forward: there is no program {folder}/bench_forward")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
