"""Whether what the pages of this project name is there: files, folders, links, headings; and tools that can be run.

    python3 tests/docs/pages_test.py
"""

import os
import re
import sys
import unittest
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import check_includes  # noqa: E402
import commands_test  # noqa: E402

NOT_OURS = ("build", ".venv", ".cache", "out", "tests/data", ".git")
SOURCES = (".h", ".cpp", ".cu", ".py", ".sh", ".cmake")
# Headers of libraries, which pages name too.
OF_OTHERS = {"mpi.h", "nccl.h"}


def is_ours(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return not any(name == other or name.startswith((other + "/", other + "-")) for other in NOT_OURS)


@cache
def files() -> list[Path]:
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if is_ours(Path(folder) / name)]
        found += [Path(folder) / name for name in names]
    return found


@cache
def names_of_files() -> set[str]:
    return {path.name for path in files()}


@cache
def top_folders() -> set[str]:
    return {path.name for path in ROOT.iterdir() if path.is_dir() and is_ours(path)}


def pages() -> list[Path]:
    return sorted(path for path in files() if path.suffix == ".md")


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def headings_of(page: Path) -> set[str]:
    """As GitHub names them in addresses."""
    found = re.findall(r"^#+ (.*)$", without_blocks(page.read_text(encoding="utf-8")), re.M)
    return {anchor_of(heading) for heading in found}


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def spelled_out(word: str) -> list[str]:
    """a.{h,cpp} are two names."""
    choice = re.search(r"\{([^{}]*,[^{}]*)\}", word)
    if choice is None:
        return [word]
    return [word[: choice.start()] + one + word[choice.end():] for one in choice[1].split(",")]


def exists(name: str) -> bool:
    """A path from the root of the checkout; a unit may be named without .h and .cpp."""
    if "*" in name:
        return any(ROOT.glob(name))
    path = ROOT / name
    return path.exists() or any(path.with_name(path.name + suffix).exists() for suffix in SOURCES)


def missing_words(page: Path) -> list[str]:
    missing = []
    for span in re.findall(r"`([^`\n]+)`", without_blocks(page.read_text(encoding="utf-8"))):
        for written in span.split():
            for word in spelled_out(written.strip("(),;:.…").split("#")[0]):
                if "<" in word or word in OF_OTHERS:
                    continue
                if "/" in word and word.split("/")[0] in top_folders():
                    there = exists(word.rstrip("/"))
                elif "/" not in word and Path(word).suffix in SOURCES and Path(word).stem:
                    there = word in names_of_files()
                else:
                    continue
                if not there:
                    missing.append(word)
    return missing


def missing_links(page: Path) -> list[str]:
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in headings_of(target)):
            missing.append(link)
    return missing


class Pages(unittest.TestCase):
    def test_name_files_that_are_there(self):
        for page in pages():
            with self.subTest(page=page.relative_to(ROOT).as_posix()):
                self.assertEqual(missing_words(page), [])

    def test_link_to_what_is_there(self):
        for page in pages():
            with self.subTest(page=page.relative_to(ROOT).as_posix()):
                self.assertEqual(missing_links(page), [])

    def test_the_search_finds_what_is_missing(self):
        self.assertFalse(exists("comm/no_such_file.h"))
        self.assertTrue(exists("comm/channel"))
        self.assertTrue(exists("docs/*.md"))
        self.assertEqual(spelled_out("comm/wire.{h,cpp}"), ["comm/wire.h", "comm/wire.cpp"])
        self.assertEqual(anchor_of("Which `comm.channel: auto`, and why?"), "which-commchannel-auto-and-why")


class Decisions(unittest.TestCase):
    def test_the_table_of_contents_has_every_entry_in_order(self):
        text = without_blocks((ROOT / "docs/decisions.md").read_text(encoding="utf-8"))
        entries = [anchor_of(heading) for heading in re.findall(r"^### (.*)$", text, re.M)]
        self.assertEqual(re.findall(r"^  ?- \[.*\]\(#(.*)\)$", text, re.M), entries)
        self.assertEqual(len(set(entries)), len(entries))


class Architecture(unittest.TestCase):
    def test_its_table_says_what_check_includes_allows(self):
        text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("What it allows there")[1]
        rows = dict(re.findall(r"^\| `((?:runtime|launch)[\w/]*)/` \| (.*) \| .* \|$", text, re.M))
        told = {folder: set(re.findall(r"`([\w/]+)/`", cell)) for folder, cell in rows.items()}
        below = {folder for folder in check_includes.ALLOWED if not folder.startswith("launch")} - {"common"}
        expected = {}
        for folder, allowed in check_includes.ALLOWED.items():
            if folder.startswith("launch") and below <= allowed:  # all that stands below, and some of its own
                expected[folder] = {place for place in allowed if place.startswith("launch")}
            elif folder.startswith(("launch", "runtime/")):
                expected[folder] = set(allowed)
        self.assertEqual(told, expected)


class Commands(unittest.TestCase):
    """How commands are found; commands_test.py runs them."""

    def test_lines_that_go_on_are_one_command(self):
        found = commands_test.commands_of("page", "Text\n```\nbuild/a --b \\\n  --c\nOMP=1 ctest -N  # why\n```\n")
        self.assertEqual([(one.line, one.text, one.reason) for one in found],
                         [(3, "build/a --b \\\n  --c", ""), (5, "OMP=1 ctest -N  # why", "")])

    def test_a_mark_holds_for_the_block_behind_it(self):
        block = "```\nlaunch/a.sh\n```\n"
        found = commands_test.commands_of("page", f"<!-- runs: no (a reason) -->\n{block}{block}")
        self.assertEqual([one.reason for one in found], ["a reason", ""])

    def test_what_is_shown_but_no_command_is_passed_over(self):
        self.assertEqual(commands_test.commands_of("page", "```\nlaunch/    the program\n  encode done\n```\n"), [])

    def test_mistakes_of_a_page_are_noticed(self):
        for text in ("```\nbuild/a\nsome output\n```\n", "```\nbuild/a … --b\n```\n",
                     "<!-- runs: no (a reason) -->\n```\nno command\n```\n"):
            with self.assertRaises(commands_test.Wrong, msg=text):
                commands_test.commands_of("page", text)


class Tools(unittest.TestCase):
    def test_programs_can_be_run(self):
        for path in files():
            if not path.is_relative_to(ROOT / "tools") or path.suffix != ".py":
                continue
            text = path.read_text(encoding="utf-8")
            is_program = '__name__ == "__main__"' in text or text.startswith("#!")
            if not is_program or "python3 -m" in text:  # a module, as its first lines say
                continue
            with self.subTest(tool=path.relative_to(ROOT).as_posix()):
                self.assertTrue(text.startswith("#!/usr/bin/env python3\n"), "it has no interpreter line")
                self.assertTrue(os.access(path, os.X_OK), "it has no run bit")


if __name__ == "__main__":
    unittest.main()
