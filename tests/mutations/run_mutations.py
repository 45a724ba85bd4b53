"""Makes deliberate mistakes in a copy of the sources, one after the other, and demands that the tests notice each.

    python3 tests/mutations/run_mutations.py --source . --build build [--only WORDS]

The copy lies in BUILD/mutations, and is configured like BUILD but without CUDA. First every test that is named in
mutations.py has to pass as the sources are. A mistake is noticed when a test fails by an assertion; a crash, an
exception or a program that does not build is a failure of this script. Exits with 1 unless every mistake is noticed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

from mutations import MUTATIONS, Mutation  # noqa: E402

# What has to be the same for ccache to know the objects of the first build again.
SAME_SETTINGS = ("CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "CMAKE_CXX_FLAGS", "CMAKE_MAKE_PROGRAM", "CMAKE_PREFIX_PATH",
                 "LibTorch_ROOT", "LAYERPIPE_WARNINGS_AS_ERRORS")
TEST_SECONDS = 120
LINES_SHOWN = 20


class Failure(Exception):
    """Why a mutation, or the run, is no success."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="the checkout")
    parser.add_argument("--build", type=Path, required=True, help="its build folder, configured")
    parser.add_argument("--only", default="", help="only mutations with this text in their name")
    args = parser.parse_args()

    mutations = [mutation for mutation in MUTATIONS if args.only in mutation.name]
    began = time.monotonic()
    try:
        workshop = Workshop(args.source.resolve(), args.build.resolve())
        everything = sorted({check for mutation in mutations for check in mutation.noticed_by})
        workshop.build({program for program, _ in everything})
        for program, test_filter in everything:
            failed = workshop.failed_tests(program, test_filter)
            if failed:
                raise Failure(f"{program} fails without any mutation: {', '.join(failed)}")
    except Failure as failure:
        print(failure)
        return 1
    print(f"{len(everything)} groups of tests pass unmutated ({time.monotonic() - began:.0f} s)\n", flush=True)

    width = max((len(mutation.name) for mutation in mutations), default=0)
    survivors = 0
    for mutation in mutations:
        began = time.monotonic()
        try:
            verdict = f"noticed by {workshop.noticed(mutation)} tests"
        except Failure as failure:
            survivors += 1
            verdict = f"NOT NOTICED: {failure}"
        print(f"{mutation.name:<{width}}  {time.monotonic() - began:5.1f} s  {verdict}", flush=True)
    print(f"\n{len(mutations) - survivors} of {len(mutations)} mutations noticed")
    return 1 if survivors or not mutations else 0


class Workshop:
    """The copy of the sources and its build."""

    def __init__(self, source: Path, build: Path):
        self._copy = build / "mutations" / "source"
        self._build = self._copy / "build"  # as in a checkout: ccache compares relative paths
        _copy_sources(source, self._copy)
        settings = _settings_of(build / "CMakeCache.txt")
        definitions = [f"-D{name}={settings[name]}" for name in SAME_SETTINGS if settings.get(name)]
        _run(["cmake", "-S", self._copy, "-B", self._build, "-G", settings["CMAKE_GENERATOR"], "-DLAYERPIPE_CUDA=OFF",
              f"-DLAYERPIPE_TEST_DATA={source / 'tests' / 'data'}", *definitions])

    def build(self, programs: set[str]) -> None:
        _run(["cmake", "--build", self._build, "--parallel", str(_jobs()), "--target", *sorted(programs)])

    def failed_tests(self, program: str, test_filter: str) -> list[str]:
        """Names of the tests that fail by an assertion. Any other failure, and no test at all, is a Failure."""
        report = self._build / "report.json"
        report.unlink(missing_ok=True)
        command = [self._build / "tests" / program, f"--gtest_filter={test_filter}", f"--gtest_output=json:{report}"]
        try:
            code = subprocess.run(command, capture_output=True, timeout=TEST_SECONDS,
                                  env=os.environ | {"OMP_WAIT_POLICY": "passive"}).returncode
        except subprocess.TimeoutExpired:
            raise Failure(f"{program} took more than {TEST_SECONDS} s") from None
        if code not in (0, 1) or not report.exists():
            raise Failure(f"{program} ended with code {code}")
        suites = json.loads(report.read_text("utf-8"))
        tests = [(f"{test['classname']}.{test['name']}", test) for suite in suites["testsuites"]
                 for test in suite["testsuite"] if test["result"] != "SUPPRESSED"]
        if not tests:
            raise Failure(f"{program} has no test {test_filter}")
        failed = []
        for name, test in tests:
            messages = [failure["failure"] for failure in test.get("failures", [])]
            if any("C++ exception" in message for message in messages):
                raise Failure(f"{name} threw an exception")
            if messages:
                failed.append(name)
        return failed

    def noticed(self, mutation: Mutation) -> int:
        """How many tests fail because of it."""
        path = self._copy / mutation.file
        right = path.read_text("utf-8")
        pattern = re.compile(r"\s+".join(re.escape(word) for word in mutation.before.split()))
        found = pattern.findall(right)
        if len(found) != 1:
            raise Failure(f"its text occurs {len(found)} times in {mutation.file}")
        try:
            path.write_text(pattern.sub(lambda _: mutation.after, right), "utf-8")
            self.build({program for program, _ in mutation.noticed_by})
            total = 0
            for program, test_filter in mutation.noticed_by:
                failed = self.failed_tests(program, test_filter)
                if not failed:
                    raise Failure(f"{program} {test_filter} passes")
                total += len(failed)
            return total
        finally:
            path.write_text(right, "utf-8")


def _copy_sources(source: Path, copy: Path) -> None:
    """Everything that git would commit, without the tests' data. Leaves files alone that are the same already."""
    listed = subprocess.run(["git", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, check=True).stdout.decode().split("\0")
    names = {name for name in listed
             if name and not name.startswith("tests/data/") and (source / name).is_file()}
    copy.mkdir(parents=True, exist_ok=True)
    for old in copy.rglob("*"):
        name = old.relative_to(copy)
        if name.parts[0] not in ("build", ".venv") and old.is_file() and str(name) not in names:
            old.unlink()
    for name in names:
        target = copy / name
        if target.is_file() and target.read_bytes() == (source / name).read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target)
    # LibTorch at the same place relative to the sources: ccache again.
    if (source / ".venv").exists() and not (copy / ".venv").exists():
        (copy / ".venv").symlink_to(source / ".venv")


def _settings_of(cache: Path) -> dict[str, str]:
    if not cache.is_file():
        raise Failure(f"{cache.parent} is not configured")
    lines = re.findall(r"^([A-Za-z_0-9]+):[A-Z]+=(.*)$", cache.read_text("utf-8"), re.MULTILINE)
    return dict(lines)


def _jobs() -> int:
    """One compiler for each core, but 2 GiB of available memory for each."""
    memory = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return max(1, min(os.cpu_count() or 1, int(memory.group(1)) // (2 << 20)))


def _run(command: list) -> None:
    run = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode != 0:
        last = run.stdout.splitlines()[-LINES_SHOWN:]
        raise Failure("\n".join([f"{command[0]} failed", *last]))


if __name__ == "__main__":
    sys.exit(main())
