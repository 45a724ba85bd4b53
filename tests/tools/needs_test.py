#!/usr/bin/env python3
"""Scripts and benchmarks without what they need: a sentence, what to do, and exit code 2, never a stack trace.

    python3 tests/tools/needs_test.py [BENCHMARK...]

Every script of tools/ and tests/ that is started by a person and imports packages is run by a Python without any; the benchmarks,
which are programs of the build, where no GPU is to be seen. Standard library only.
"""

import ast
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import needs  # noqa: E402

BENCHMARKS = [Path(arg) for arg in sys.argv[1:]]
OURS = {path.stem for path in [*ROOT.glob("tools/*.py"), *ROOT.glob("tests/*/*.py")]} | {"demo_model", "parity"}
# Needs that only show themselves while the script works; they end with 77 there, as ctest wants it.
SKIPPING = {"tests/model/tokenizer_parity_test.py"}


def scripts() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "tools/*.py", "tests/*.py"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in sorted(set(listed))]


def is_started(tree: ast.Module) -> bool:
    """Whether a person starts it: something is called where it is read, beside what a module needs for itself."""
    for node in tree.body:
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) and "__main__" in ast.unparse(node.test):
            return True
        calls = node.body if isinstance(node, ast.Try) else [node]
        if any(isinstance(call, ast.Expr) and ast.unparse(call.value) == "main()" for call in calls):
            return True
    return False


def imported(tree: ast.Module) -> set[str]:
    """The packages that are imported where the file is read."""
    names: set[str] = set()
    for node in tree.body:
        for inner in [node, *(node.body if isinstance(node, ast.Try) else [])]:
            if isinstance(inner, ast.Import):
                names |= {alias.name.split(".")[0] for alias in inner.names}
            elif isinstance(inner, ast.ImportFrom) and inner.level == 0:
                names.add(inner.module.split(".")[0])
    return names


def needs_packages(file: Path, seen: frozenset = frozenset()) -> bool:
    """Whether reading the file imports something that is not of the standard library, through our own modules as well."""
    if file in seen:
        return False
    tree = ast.parse(file.read_text())
    names = imported(tree)
    if names - OURS - set(sys.stdlib_module_names):
        return True
    inner = [ROOT / "tools" / f"{name}.py" for name in names] + [file.parent / f"{name}.py" for name in names]
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.level or node.module in ("parity", "demo_model")):
            folder = file.parent if node.level else ROOT / "tools" / node.module
            inner += [folder / f"{name}.py" for name in [*(alias.name for alias in node.names), *([node.module] if node.level and node.module else [])]]
    return any(needs_packages(one, seen | {file}) for one in inner if one.is_file() and one != file)


def run_without_packages(file: Path) -> subprocess.CompletedProcess:
    """-S leaves out everything that was installed beside Python."""
    name = file.relative_to(ROOT)
    words = ["-m", f"demo_model.{file.stem}"] if file.parent.name == "demo_model" and "from ." in file.read_text() else [str(name)]
    # Scripts that start themselves again forget -S; then PYTHONHOME's site packages are hidden by a folder without any.
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text("import sys\nsys.path = [p for p in sys.path if 'site-packages' not in p "
                                                       "and 'dist-packages' not in p]\n")
        return subprocess.run([sys.executable, "-S", *words], cwd=ROOT, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": f"{folder}:{ROOT / 'tools'}",
                                                                          "PYTHONDONTWRITEBYTECODE": "1"})


class Scripts(unittest.TestCase):
    def test_all_that_need_packages_say_so(self):
        found = 0
        for file in scripts():
            name = str(file.relative_to(ROOT))
            tree = ast.parse(file.read_text())
            if not is_started(tree) or not needs_packages(file) or name in SKIPPING:
                continue
            found += 1
            with self.subTest(name):
                done = run_without_packages(file)
                lines = done.stderr.splitlines()
                self.assertEqual(done.returncode, needs.EXIT_CODE, done.stderr)
                self.assertEqual(len(lines), 2, done.stderr)
                self.assertRegex(lines[0], r"^\w+\.py: the Python packages? [a-z, -]+ cannot be imported by .*: No module named '\w+'$")
                self.assertRegex(lines[1], r"^  Install what the scripts need: launch/setup\.sh --reference, or .* -r .*requirements-reference\.txt$")
        self.assertGreater(found, 15)

    # The file that the cure names has every package that a script may miss, torch aside, which the cure names itself.
    def test_the_cure_installs_what_is_missing(self):
        installed = {line.split("==")[0] for line in needs.REQUIREMENTS.read_text().splitlines() if "==" in line} | {"torch"}
        asked = 0
        for file in scripts():
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "needs.packages":
                    for argument in node.args:
                        names = [argument.value] if isinstance(argument, ast.Constant) else []
                        asked += len(names)
                        for name in names:
                            self.assertIn(needs.INSTALLED_AS.get(name, name), installed, file)
        self.assertGreater(asked, 30)

    def test_a_benchmark_says_how_many_gpus_it_needs(self):
        for words, count in ((["tools/bench_pipeline.py", "--stages", "1", "2"], "2 GPUs"),):
            done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=120,
                                  env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
            self.assertEqual(done.returncode, needs.EXIT_CODE, done.stderr)
            self.assertEqual(done.stderr.splitlines()[0], f"{Path(words[0]).name}: this needs {count}, and this machine has none")

    def test_a_program_that_is_not_there(self):
        for name in ("tests/launch/ranks/gpu_bits_test.py", "tests/launch/ranks/two_hosts_test.py"):
            for words, said in ((["nowhere/layerpipe"], "there is no program nowhere/layerpipe; launch/build.sh builds those of layerpipe"),
                                ([], "the following arguments are required: program")):
                done = subprocess.run([sys.executable, name, *words], cwd=ROOT, capture_output=True, text=True, timeout=120)
                self.assertEqual(done.returncode, needs.EXIT_CODE)
                self.assertTrue(done.stderr.rstrip().endswith(said), done.stderr)


class Benchmarks(unittest.TestCase):
    def run_without_gpu(self, program: Path, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([program, *words], capture_output=True, text=True, timeout=120, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})

    def test_without_a_gpu(self):
        for program in BENCHMARKS:
            if program.name == "bench_channels":
                continue  # needs ranks first
            with self.subTest(program.name):
                done = self.run_without_gpu(program)
                self.assertEqual(done.returncode, needs.EXIT_CODE, done.stderr)
                self.assertEqual(done.stderr.splitlines()[0], f"{program.name}: this needs a GPU, and LibTorch finds none")

    def test_with_a_wrong_option(self):
        for program in BENCHMARKS:
            with self.subTest(program.name):
                self.assertEqual(self.run_without_gpu(program, "--no-such-option").returncode, needs.EXIT_CODE)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
