"""Runs the commands that README.md, CONTRIBUTING.md, docs/ and configs/README.md show, exactly as they are written.

    python3 tests/docs/commands_test.py --built build [--list]

A command is a line of a fenced block; a block that begins with one holds nothing else. They run in a copy of the checkout, page
by page and from top to bottom, so that what one leaves is there for the next. `Qwen-Image-Layered` is the demo's model there.

What cannot be run without a GPU, the published weights or minutes of time has a comment in front of its block:

    <!-- runs: no (a reason) -->

Of such commands it is checked that the program is there, that it can be run, and that it knows the long options.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "configs/README.md", *sorted(f"docs/{page.name}" for page in ROOT.glob("docs/*.md"))]
ASSIGNMENTS = r"(?:[A-Z][A-Za-z_]*=\S+ )*"
COMMAND = re.compile(
    rf"{ASSIGNMENTS}(?:(?:build|launch|tools|tests|bench|\.venv|\.ci)/\w\S*|(?:ctest|cmake|python3?|mpirun|clang-format-14) )")
MARK = re.compile(r"<!-- runs: no \((?P<reason>[^)]+)\) -->")
LONGEST_SECONDS = 180


@dataclass
class Command:
    page: str
    line: int
    text: str
    reason: str  # why it is not run, or nothing

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


class Wrong(Exception):
    """What is wrong with a page, or with one of its commands."""


def commands_of(page: str, text: str) -> list[Command]:
    """The commands of a page. A line that ends in a backslash goes on in the next one."""
    found, block, mark, start = [], None, "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            if block is not None:
                block.append((number, line))
            elif line.strip():
                mark = line
            continue
        if block is None:
            block, start = [], number
            continue
        marked = MARK.fullmatch(mark.strip())
        in_block = read_block(page, block, marked["reason"] if marked else "")
        if marked and not in_block:
            raise Wrong(f"{page}:{start}: the block is said not to run, but there is no command in it")
        found += in_block
        block, mark = None, ""
    return found


def read_block(page: str, lines: list[tuple[int, str]], reason: str) -> list[Command]:
    logical: list[Command] = []
    goes_on = False
    for number, line in lines:
        if goes_on:
            logical[-1].text += "\n" + line
        elif line.strip():
            logical.append(Command(page, number, line, reason))
        goes_on = line.endswith("\\")
    are_commands = [COMMAND.match(one.text) is not None for one in logical]
    if not any(are_commands):
        return []
    for one, is_command in zip(logical, are_commands):
        if not is_command:
            raise Wrong(f"{one.place}: this line stands among commands, but is none: {one.text}")
        if "…" in one.text.split(" #")[0]:
            raise Wrong(f"{one.place}: a command is written in full: {one.text}")
    return logical


class Workplace:
    """A copy of the checkout, with the build folder linked into it."""

    def __init__(self, folder: Path, built: Path):
        self.folder = folder / "layerpipe"
        left_out = shutil.ignore_patterns(".git", "build", "build-*", ".venv", ".cache", "out", "__pycache__")
        shutil.copytree(ROOT, self.folder, symlinks=True, ignore=left_out)
        (self.folder / "build").symlink_to(built, target_is_directory=True)
        (self.folder / "Qwen-Image-Layered").symlink_to("demo/model", target_is_directory=True)
        # Rows of ranks share the cores of this machine, and ranks of an outer mpirun are none of ours.
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "LAYERPIPE_"))}
        self.environment = {**ours, "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, text: str) -> subprocess.CompletedProcess:
        return subprocess.run(["bash", "-c", text], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=LONGEST_SECONDS, check=False)

    @cache
    def help_of(self, command: str) -> str:
        return self.run(f"build/layerpipe {shlex.quote(command)} --help").stdout


def words_of(text: str) -> list[str]:
    words = shlex.split(text, comments=True)
    while re.fullmatch(r"[A-Z][A-Za-z_]*=.*", words[0], re.S):
        words.pop(0)
    return words


def check_unrun(command: Command, workplace: Workplace) -> None:
    """What can be known of a command that is not run."""
    for part in re.split(r" ; | && ", command.text.replace("\\\n", " ")):
        words = words_of(part)
        if words and COMMAND.match(" ".join(words) + " "):
            check_words(command, words, workplace)


def check_words(command: Command, words: list[str], workplace: Workplace) -> None:
    interpreted = Path(words[0]).name in ("python", "python3")
    if words[0] == "mpirun":
        words = words[next(i for i, word in enumerate(words) if word.startswith("build/")):]
    program = words[1] if interpreted else words[0]
    options = {word.split("=")[0] for word in words if re.match(r"--\w", word)}
    file = ROOT / program
    if program in ("build/layerpipe", "launch/run.sh"):
        of_layerpipe = [word for word in words[1:] if re.fullmatch(r"[a-z]+", word)]
        if not of_layerpipe:
            raise Wrong(f"{program} is called without a command")
        known = workplace.help_of(of_layerpipe[0])
        if program == "launch/run.sh":
            known += file.read_text(encoding="utf-8")
    elif program.startswith("build/bench_"):
        source = ROOT / "bench" / (program.removeprefix("build/bench_") + ".cpp")
        if not source.exists():
            raise Wrong(f"there is no {program}")
        known = "".join(path.read_text(encoding="utf-8") for path in (source, *ROOT.glob("bench/*_case.cpp")))
    elif program in ("ctest", "cmake", "clang-format-14") or program.startswith("build/"):
        return
    else:
        if not file.is_file():
            raise Wrong(f"there is no {program}")
        if not interpreted and not os.access(file, os.X_OK):
            raise Wrong(f"{program} cannot be run: it has no run bit")
        if not interpreted and not file.read_bytes().startswith(b"#!"):
            raise Wrong(f"{program} cannot be run: it has no interpreter line")
        known = file.read_text(encoding="utf-8")
    unknown = sorted(option for option in options if not re.search(re.escape(option) + r"(?![\w-])", known))
    if unknown:
        raise Wrong(f"{program} does not know {', '.join(unknown)}")


def run_verbatim(command: Command, workplace: Workplace) -> None:
    try:
        done = workplace.run(command.text)
    except subprocess.TimeoutExpired as late:
        raise Wrong(f"it did not end within {LONGEST_SECONDS} s, and wrote:\n{late.stdout}") from late
    if done.returncode != 0:
        raise Wrong(f"it ended with exit code {done.returncode}, and wrote:\n{done.stdout}")


def read_pages() -> list[Command]:
    return [command for page in PAGES for command in commands_of(page, (ROOT / page).read_text(encoding="utf-8"))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--built", type=Path, help="the build folder")
    parser.add_argument("--list", action="store_true", help="name the commands instead")
    args = parser.parse_args()
    try:
        commands = read_pages()
    except Wrong as wrong:
        sys.exit(f"error: {wrong}")
    if args.list or args.built is None:
        for command in commands:
            print(f"{command.place}: {command.text}" + (f"   [{command.reason}]" if command.reason else ""))
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        workplace = Workplace(Path(folder).resolve(), args.built.resolve())
        for command in commands:
            started = time.monotonic()
            try:
                (check_unrun if command.reason else run_verbatim)(command, workplace)
                what = f"is not run ({command.reason})" if command.reason else f"took {time.monotonic() - started:.1f} s"
            except Wrong as wrong:
                failed += 1
                what = f"FAILED: {wrong}"
            print(f"{command.place}: {command.text}\n    {what}", flush=True)
    ran = sum(not command.reason for command in commands)
    print(f"{ran} commands ran, {len(commands) - ran} were looked at, {failed} are wrong")
    if ran == 0:
        print("error: no command of any page ran")
    return 1 if failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
