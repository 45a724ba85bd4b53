"""tools/bench_memory.py as far as a CPU goes: its rows, targets, table and budget, the page cache, and runs with the demo's model.

    python3 tests/tools/bench_memory_test.py LAYERPIPE

Standard library only.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "bench_memory.py"
os.environ["LAYERPIPE_PROGRAM"] = sys.argv[1]
sys.path.insert(0, str(ROOT / "tools"))
import bench_memory as bench  # noqa: E402
import page_cache  # noqa: E402
import run_gauges  # noqa: E402
from bench_runs import GIB, OutOfTime, RunFailed  # noqa: E402


def a_run(role: str, seconds: float, **more) -> dict:
    return {"role": role, "cache": "warm", "cached_share": 1.0, "step_seconds": seconds, "denoise_seconds": 12.0, "latents": "same",
            "layers": ["x"], "passing_blocks": 0, "weight_bytes": {"transformer": 15 * GIB}, "device": [], "plan": {},
            "host": {"predicted": 2**26, "peaks": {"rss": GIB}}, "disk_read_while_denoising": None} | more


def four(case_seconds: float, **more) -> list[dict]:
    return [a_run("reference", 1.0), a_run("case", case_seconds, **more)] * 2


class Rows(unittest.TestCase):
    def test_every_case_of_the_proof_is_a_row(self):
        by_name = {row.name: row for row in bench.ROWS}
        self.assertEqual(len(by_name), len(bench.ROWS))
        self.assertEqual([role for role, _ in by_name["limit12_640"].ways()], ["reference", "case"] * 2)
        self.assertEqual(by_name["limit12_640"].way.options(), ["--dtype", "bf16", "--memory-limit", "12GiB"])
        self.assertEqual(str(by_name["two16_640"].way), "bf16, auto, 15.5+15.5 GiB free, 2 GPUs")
        self.assertEqual({row.resolution for row in bench.ROWS if row.name.startswith("limit12")}, {640, 1024})
        # The bf16 files can go when the rows with them are done.
        needs_fp8 = [any(way.weights == "fp8" for _, way in row.ways()) for row in bench.ROWS]
        self.assertEqual(needs_fp8, sorted(needs_fp8))

    def test_words_of_the_command_line(self):
        args = bench.parse(["--folder", "f", "--budget", "540s", "--rows", "fp8_640,card24"])
        self.assertEqual((args.budget, [row.name for row in args.rows]), (540, ["card24", "fp8_640"]))
        once = bench.parse(["--folder", "f", "--rounds", "1", "--rows", "fp8_640"])
        self.assertEqual([role for role, _ in once.rows[0].ways()], ["reference", "case"])
        free = bench.parse(["--folder", "f", "--free", "22.3,22.3", "--pictures", "2", "--option", "--no-cfg"])
        self.assertEqual([str(row.way) for row in free.rows], ["bf16, auto, 22.3+22.3 GiB free, 2 GPUs, 2 pictures"])
        self.assertEqual((free.rows[0].ways(), free.option), ([("case", free.rows[0].way)], ["--no-cfg"]))
        for words, said in ((["--folder", "f", "--rounds", "0"], "--rounds is at least 1"),
                            (["--folder", "f", "--rows", "card25"], "there is no row card25; --list names them"),
                            (["--folder", "f", "--budget", "9 minutes"], "9 minutes is no number of seconds such as 540s"),
                            (["--rows", "card24"], "--folder is missing")):
            done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr)

    def test_the_list(self):
        done = subprocess.run([sys.executable, SCRIPT, "--list"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        for row in bench.ROWS:
            self.assertRegex(done.stdout, rf"\| +{row.name} \|")
        self.assertIn("same_bits True, most_passing 0 |", done.stdout)


class Targets(unittest.TestCase):
    def missed(self, targets: bench.Targets, runs: list[dict]) -> list[str]:
        return [one["what"] for one in bench.judge(targets, runs) if not one["held"]]

    def test_ratios_and_speeds(self):
        self.assertEqual(self.missed(bench.Targets(most_ratio=1.05), four(1.05)), [])
        self.assertEqual(self.missed(bench.Targets(most_ratio=1.05), four(1.06)), ["1.060 of the reference's seconds, at most 1.05"])
        self.assertEqual(self.missed(bench.Targets(least_speed=1.9), four(0.5)), [])
        self.assertEqual(self.missed(bench.Targets(least_speed=1.9), four(0.55)), ["1.82 times as fast as the reference, at least 1.9"])
        self.assertEqual(self.missed(bench.Targets(most_ratio=1.05), four(1.0, denoise_seconds=9.5)),
                         ["case: 9.5 s of denoising, not 10"] * 2)
        self.assertEqual(self.missed(bench.Targets(), four(3.0, denoise_seconds=9.5)), [])  # its time is told and not judged

    def test_bits(self):
        self.assertEqual(self.missed(bench.Targets(same_bits=True), four(1.0)), [])
        self.assertEqual(self.missed(bench.Targets(same_bits=True), four(1.0, latents="other")), ["OTHER BITS"])
        without = [run | {"latents": None} for run in four(1.0)]
        self.assertEqual(self.missed(bench.Targets(same_bits=True), without), [])
        without[1]["layers"] = ["y"]
        self.assertEqual(self.missed(bench.Targets(same_bits=True), without), ["OTHER BITS"])

    def test_memory(self):
        self.assertEqual(self.missed(bench.Targets(most_passing=2), four(1.0, passing_blocks=2)), [])
        self.assertEqual(self.missed(bench.Targets(most_passing=2), four(1.0, passing_blocks=3)), ["3 blocks do not stay, at most 2"])
        self.assertEqual(self.missed(bench.Targets(most_weight_gib=15.5), four(1.0)), [])
        self.assertEqual(self.missed(bench.Targets(most_weight_gib=15.2), four(1.0)), ["transformer and table 15.21 GiB, at most 15.2"])
        for predicted, used, is_held in ((10, 10, True), (11, 10, True), (9.9, 10, False), (11.1, 10, False)):
            peak = {"rank": 0, "phase": "denoise", "predicted": predicted * GIB, "used": used * GIB}
            self.assertEqual(not self.missed(bench.Targets(), [a_run("case", 1.0, device=[peak])]), is_held, (predicted, used))

    def test_a_cache_that_was_not_dropped(self):
        for share, said in ((0.0, []), (0.25, ["25.0% of the files stayed in the page cache when they were dropped"]),
                            (None, ["the files lie in memory, from which nothing can be dropped"])):
            self.assertEqual(self.missed(bench.Targets(), [a_run("case", 1.0, cache="dropped", cached_share=share)]), said)

    def test_what_the_program_says_of_its_plan(self):
        two = "Weights stream: on rank 0 3 of 30 blocks and on rank 1 1 of 30 pass through the device, the others stay.\n"
        self.assertEqual(bench.passing_blocks(["rank host\n", two]), 4)
        self.assertEqual(bench.passing_blocks(["Weights stream: on rank 0 27 of 28 text layers pass through the device, the others stay.\n"]), 0)
        self.assertEqual(bench.predicted_host_bytes({"host_bytes": {"a": 5, "b": 7}}), 12)


class Table(unittest.TestCase):
    def test_bits_of_one_size_in_different_rows(self):
        def record(resolution: int, latents: str, dtype: str = "bf16") -> dict:
            return {"row": {"resolution": resolution, "layers": 4}, "runs": [{"latents": latents, "steps": [1, 1], "way": f"{dtype}, auto"}]}

        self.assertEqual(bench.other_bits([record(640, "a"), record(640, "a"), record(1024, "b"), record(640, "c", "fp8")]), [])
        self.assertEqual(bench.other_bits([record(640, "a"), record(640, "b")]), ["bf16, 640 px, 4 layers, 2 steps: 2 different latents"])

    def test_lines(self):
        record = {"row": {"name": "r", "resolution": 640}, "way": "bf16", "runs": four(1.06), "judged": []}
        record["judged"] = bench.judge(bench.Targets(most_ratio=1.05, same_bits=True), record["runs"])
        line = bench.line_of(record)
        self.assertEqual(len(line), len(bench.HEADS))
        self.assertEqual(line[3:6], ["1.0600, 1.0600", "1.0000, 1.0000", "1.060"])
        self.assertEqual(line[-1], "MISSED: 1.060 of the reference's seconds, at most 1.05; same bits")
        self.assertTrue(bench.is_missed(record))
        nothing = bench.line_of(record | {"runs": [], "failure": "MISSED: it ended"})
        self.assertEqual((len(nothing), nothing[-1]), (len(bench.HEADS), "MISSED: it ended"))


class FakeMeasuring:
    """Runs that take `seconds` of a clock of their own."""

    def __init__(self, budget_seconds: float, seconds: float, failure: Exception | None = None):
        self.now = 0.0
        self.budget = bench.Budget(budget_seconds, clock=lambda: self.now)
        self.seconds, self.failure = seconds, failure

    def measure(self, row: bench.Row, role: str, way: bench.Way) -> dict:
        if self.failure and role == "case":
            raise self.failure
        self.now += self.seconds
        self.budget.note(way.cache, self.seconds)
        return a_run(role, 1.0)


class Budgets(unittest.TestCase):
    def measure(self, rows: list, measuring: FakeMeasuring, gpus: int | None = 1) -> tuple[list, list[dict]]:
        kept = []
        with contextlib.redirect_stdout(io.StringIO()):
            left = bench.measure_rows(rows, measuring, gpus, lambda record: kept.append(json.loads(json.dumps(record))))
        return left, kept

    def test_stops_before_the_limit(self):
        rows = [replace(bench.ROWS[0], name=f"row{i}") for i in range(4)]
        measuring = FakeMeasuring(520, 50)
        left, kept = self.measure(rows, measuring)  # 4 · 50 s a row, after a guess of 4 · 45
        self.assertEqual(left, [("row2", "it takes about 200 s, and 120 are left"), ("row3", "it takes about 200 s, and 120 are left")])
        self.assertEqual(measuring.now, 400)
        # Each run is kept when it is there.
        self.assertEqual([len(record["runs"]) for record in kept], [1, 2, 3, 4, 4, 1, 2, 3, 4, 4])
        self.assertEqual(self.measure(rows, FakeMeasuring(None, 50))[0], [])

    def test_rows_that_fail_and_rows_that_run_out_of_time(self):
        row = bench.ROWS[0]
        left, kept = self.measure([row], FakeMeasuring(1000, 50, RunFailed("case ended with 3:\n")))
        self.assertEqual((left, kept[-1]["failure"]), ([], "MISSED: case ended with 3:"))
        left, kept = self.measure([row], FakeMeasuring(1000, 50, OutOfTime("too long")))
        self.assertEqual(left, [(row.name, "there was no time for all of its runs")])
        self.assertEqual(len(kept[-1]["runs"]), 1)

    def test_rows_for_more_gpus(self):
        left, _ = self.measure([row for row in bench.ROWS if row.name.startswith("two")][:1], FakeMeasuring(1000, 50))
        self.assertEqual(left, [("two16_640", "it needs 2 GPUs, and this machine has 1")])


class Places(unittest.TestCase):
    def test_the_first_with_room(self):
        with tempfile.TemporaryDirectory() as scratch:
            first, second = Path(scratch) / "a", Path(scratch) / "b"
            room = {first: 15e9, second: 30e9}
            self.assertEqual(bench.place(first, second, 14, room.get), first)
            self.assertEqual(bench.place(first, second, 14.3, room.get), second)
            with self.assertRaisesRegex(RunFailed, f"^neither {first} nor {second} has room for 30 GB\n  Free some space there"):
                bench.place(first, second, 30, room.get)

    def test_a_row_whose_weights_have_no_room_fails_and_the_others_go_on(self):
        with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()) as said:
            models = bench.Models(Path(scratch), Path(scratch), is_small=True)
            measuring = bench.Measuring(Path(scratch), models, bench.Budget(None), bench.SMALL_OPTIONS, on_gpu=False)
            kept = {}
            with unittest.mock.patch.object(bench, "place", side_effect=RunFailed("no room\n  Make some.")):
                rows = [bench.in_small(replace(row, rounds=1)) for row in bench.ROWS if row.name in ("limit8_fp8_640", "limit12_640")]
                left = bench.measure_rows(rows, measuring, None, lambda record: kept.update({record["row"]["name"]: record}))
        self.assertEqual((left, bench.is_missed(kept["limit12_640"])), ([], False))
        self.assertEqual(kept["limit8_fp8_640"]["failure"], "MISSED: no room\n  Make some.")
        self.assertIn("limit8_fp8_640: MISSED: no room", said.getvalue())


class PageCache(unittest.TestCase):
    def setUp(self):
        # Beside the build: what lies in a file system in memory has no pages to drop.
        folder = tempfile.TemporaryDirectory(dir=Path(sys.argv[1]).resolve().parent)
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "weights"
        if not bench.is_on_disk(Path(folder.name).resolve()):
            self.skipTest("the build lies in memory, where no page can be dropped")
        self.file.write_bytes(os.urandom(3 << 20) + b"end")

    def test_drops_what_was_just_written_and_reads_it_again(self):
        self.assertEqual(page_cache.resident_bytes(self.file), (3 << 20) + 3)
        page_cache.drop([self.file])
        self.assertEqual(page_cache.resident_share([self.file]), 0)
        page_cache.warm([self.file])
        self.assertEqual(page_cache.resident_share([self.file]), 1)
        said = subprocess.run([sys.executable, ROOT / "tools" / "page_cache.py", "--drop", self.file], capture_output=True, text=True)
        self.assertEqual(said.stdout, f"  0.00%  {self.file}\n")

    def test_drops_behind_the_reader_until_it_is_killed(self):
        dropper = subprocess.Popen([sys.executable, ROOT / "tools" / "page_cache.py", "--drop-behind", self.file], stdout=subprocess.PIPE)
        try:
            dropper.stdout.readline()
            self.file.read_bytes()
            end = time.monotonic() + 30
            while page_cache.resident_share([self.file]) > 0 and time.monotonic() < end:
                time.sleep(0.02)
            self.assertEqual(page_cache.resident_share([self.file]), 0)
        finally:
            dropper.kill()
            dropper.wait()
            dropper.stdout.close()


class Gauges(unittest.TestCase):
    def test_the_memory_of_processes_below_another(self):
        holding = "import time; held = bytearray(b'x') * (200 << 20); print('held', flush=True); time.sleep(60)"
        name = "python3"
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / name).symlink_to(Path(sys.executable).resolve())
            outer = subprocess.Popen(["sh", "-c", f'"{scratch}/{name}" -c "{holding}"; true'], stdout=subprocess.PIPE, text=True,
                                     env=os.environ | {"PYTHONHOME": sys.base_prefix}, start_new_session=True)
            try:
                self.assertEqual(outer.stdout.readline(), "held\n")
                gauge = run_gauges.HostGauge(outer, 1, name)
                gauge.line("2026-12-01  denoise step 0 of 3")
                self.assertEqual(gauge.phase, "denoise")
                gauge.line("2026-12-01  denoise done in 1 s")
                gauge.end()
                self.assertEqual(len(gauge.pids), 1)
                self.assertNotEqual(gauge.pids, [outer.pid])
                self.assertGreater(gauge.peaks["rss"], 200 << 20)
                self.assertLess(gauge.peaks["rss"], 300 << 20)
                self.assertEqual(gauge.denoise_read()[0], 0)
            finally:
                os.killpg(outer.pid, 9)
                outer.wait()
                outer.stdout.close()


class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=Path(sys.argv[1]).resolve().parent)
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def script(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, SCRIPT, "--small", "--folder", self.folder / "f", "--spill", self.folder / "s", "--json",
                               self.folder / "rows.json", *words], capture_output=True, text=True, timeout=250)

    def rows(self) -> dict:
        return {record["row"]["name"]: record for record in json.loads((self.folder / "rows.json").read_text())["rows"]}

    def test_rows_on_a_cpu(self):
        done = self.script("--rows", "limit12_640,limit8_fp8_640")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = self.rows()
        self.assertEqual([len(record["runs"]) for record in rows.values()], [4, 4])
        for record in rows.values():
            self.assertIn({"what": "same bits", "held": True}, record["judged"])
            case, reference = record["runs"][1], record["runs"][0]
            self.assertEqual((reference["passing_blocks"], reference["residency"]), (0, "resident"))
            self.assertGreater(case["passing_blocks"], 0)
            self.assertGreater(case["host"]["peaks"]["rss"], 100 << 20)
        bits = {record["runs"][0]["latents"] for record in rows.values()}
        self.assertEqual(len(bits), 2)  # bf16 and fp8
        if not bench.is_on_disk(self.folder.resolve()):
            return
        # A row that is dropped from the cache joins those that are there.
        done = self.script("--rows", "limit12_640_dropped")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(list(self.rows()), ["limit12_640", "limit8_fp8_640", "limit12_640_dropped"])
        self.assertEqual([run["cached_share"] for run in self.rows()["limit12_640_dropped"]["runs"]], [1, 0])
        self.assertRegex(done.stdout, r"\| +limit8_fp8_640 \|")
        self.assertEqual(list((self.folder / "f").glob("limit*")), [])

    def test_what_there_is_no_time_for_is_named(self):
        done = self.script("--rows", "limit12_640", "--budget", "5s")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^left: limit12_640: it takes about 180 s, and [0-5] are left$")

    def test_a_row_that_fails_is_missed(self):
        done = self.script("--rows", "limit12_640", "--option", "--seed", "none")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("MISSED: limit12_640_1 ended with 2:", self.rows()["limit12_640"]["failure"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
