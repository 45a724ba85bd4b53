"""What launch/build.sh asks of cmake, and what it prints, with stand-ins for cmake, nvcc and nvidia-smi.

    python3 tests/launch/build_script_test.py
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Notes its arguments and, when it configures, leaves a cache like cmake's.
CMAKE = """echo "cmake $*" >>"$CALLS"
echo "a line of cmake's output"
[ "$1" != --build ] || exit "${BUILD_CODE:-0}"
tests=ON cuda=OFF
for argument in "$@"; do
  case "$argument" in
    -DLAYERPIPE_TESTS=*) tests="${argument#*=}" ;;
    cuda) cuda=ON ;;
  esac
done
printf 'LAYERPIPE_TESTS:BOOL=%s\\nLAYERPIPE_CUDA:STRING=%s\\n' "$tests" "$cuda" >"$CACHE"
"""


class BuildScript(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.checkout = Path(folder.name).resolve()
        self.tools = self.checkout / "tools"
        self.tools.mkdir()
        (self.checkout / "launch").mkdir()
        for script in ("build.sh", "lib.sh", "visible.sh"):
            shutil.copy(ROOT / "launch" / script, self.checkout / "launch")
        self.put_tool("cmake", CMAKE)
        self.put_tool("nvidia-smi", "exit 1")
        self.put_tool("nvcc", 'echo "Cuda compilation tools, release 13.0, V13.0.1"')
        self.calls = self.checkout / "calls"

    def put_tool(self, name, text):
        path = self.tools / name
        path.write_text("#!/bin/sh\n" + text + "\n")
        path.chmod(0o755)

    def build(self, *arguments, **variables):
        self.calls.write_text("")
        environment = {"PATH": f"{self.tools}:{os.environ['PATH']}", "CUDACXX": str(self.tools / "nvcc"), "CALLS": str(self.calls),
                       "CACHE": str(self.checkout / "build" / "CMakeCache.txt"), "CMAKE_BUILD_PARALLEL_LEVEL": "2", **variables}
        run = subprocess.run([self.checkout / "launch" / "build.sh", *arguments], env=environment, capture_output=True, text=True,
                             stdin=subprocess.DEVNULL)
        return run, self.calls.read_text().splitlines()

    def test_builds_the_program_only(self):
        run, calls = self.build()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(calls, ["cmake --preset cpu -DLAYERPIPE_TESTS=OFF -DLAYERPIPE_BENCHMARKS=OFF",
                                 f"cmake --build {self.checkout}/build --target layerpipe contact_sheet"])

    def test_builds_everything_when_asked_and_keeps_it_afterwards(self):
        _, calls = self.build("--all", "-DX=1", LAYERPIPE_CMAKE_ARGS="-DY=2 -DZ=3")
        self.assertEqual(calls, ["cmake --preset cpu -DLAYERPIPE_TESTS=ON -DLAYERPIPE_BENCHMARKS=ON -DY=2 -DZ=3 -DX=1",
                                 f"cmake --build {self.checkout}/build"])
        _, calls = self.build()
        self.assertEqual(calls, ["cmake --preset cpu", f"cmake --build {self.checkout}/build --target layerpipe contact_sheet"])

    def test_kernels_are_compiled_where_there_is_a_gpu_or_they_are_asked_for(self):
        run, calls = self.build()
        self.assertIn("==> CUDA kernels: they are not compiled, since this machine has no GPU; --cuda compiles them\n", run.stderr)
        self.assertIn("--preset cpu", calls[0])
        run, calls = self.build("--cuda")
        self.assertIn("==> CUDA kernels: they are compiled, since --cuda asks for them\n", run.stderr)
        self.assertIn("--preset cuda", calls[0])
        run, calls = self.build()
        self.assertIn("==> CUDA kernels: they are compiled, since build/ was configured with them\n", run.stderr)
        self.assertIn("--preset cuda", calls[0])
        self.put_tool("nvidia-smi", 'echo "GPU 0: NVIDIA H200 (UUID: GPU-0)"')
        run, calls = self.build()
        self.assertIn("==> CUDA kernels: they are compiled, since this machine has a GPU\n", run.stderr)
        self.assertIn("--preset cuda", calls[0])

    def test_a_step_is_one_line_with_its_seconds_and_the_rest_goes_to_a_log(self):
        run, _ = self.build()
        log = self.checkout / "build" / "build.log"
        self.assertEqual(run.stdout, "")
        self.assertRegex(run.stderr, re.compile(
            r"\A==> CUDA kernels: [^\n]*\n"
            rf"==> the output of cmake and of the compilers goes to {re.escape(str(log))}\n"
            r"==> configuring build/ \(preset cpu\) \.\.\. \d+ s\n"
            r"==> building the program \(--all builds tests and benchmarks too\) with 2 jobs \.\.\. \d+ s\n\Z"))
        self.assertEqual(log.read_text().count("a line of cmake's output\n"), 2)

    def test_a_step_that_fails_shows_its_output_and_names_the_log(self):
        run, _ = self.build(BUILD_CODE="7")
        self.assertEqual(run.returncode, 7)
        self.assertRegex(run.stderr, re.compile(
            r"with 2 jobs \.\.\. failed after \d+ s\na line of cmake's output\n"
            rf"==> cmake ended with code 7; its whole output is in {re.escape(str(self.checkout))}/build/build.log\n\Z"))


if __name__ == "__main__":
    unittest.main()
