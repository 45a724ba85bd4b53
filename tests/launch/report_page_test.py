"""Reads the page of `layerpipe report` as strictly as XML, and compares its figures with run.json and the trace.

    python3 tests/launch/report_page_test.py LAYERPIPE RUN_SH [--browser]

Without --browser the standard library is enough. With it, a headless browser opens the pages, wide and narrow, light and dark; exit
code 77 where chromium or playwright is missing.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import needs  # noqa: E402

HOSTILE = "</style><script>window.hacked=1</script><img src=x onerror='window.hacked=1'> \" & ]]> \u202e \x01\x1b[2J 太阳 \U0001f31e\n" + "long " * 500
PHASES = ("encode", "denoise", "decode")
VOID = {"meta"}


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(what)


def run(*command, environment=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=ROOT, stdin=subprocess.DEVNULL,
                          env=os.environ | (environment or {}))
    if done.returncode != 0:
        sys.exit(f"FAILED: {command} ended with {done.returncode}: {done.stderr}")
    return done


def make_runs(layerpipe, run_sh, folder):
    """Runs to report on: alone, on three ranks with a trace, two results, and one with hostile texts in it."""
    common = ["decompose", "--model", "demo/model", "--image", "demo/pictures/weather.png", "--device", "cpu", "--resolution", "64",
              "--any-resolution", "--layers", "2", "--quiet"]
    run(layerpipe, *common, "--prompt", "a poster", "--steps", "1", "--no-cfg", "--out", folder / "alone")
    run(run_sh, "-n", "3", *common, "--prompt", "a sun", "--steps", "6", "--out", folder / "ranks", "--trace", folder / "ranks" / "trace.json",
        environment={"LAYERPIPE_PROGRAM": str(layerpipe)})
    run(layerpipe, *common, "--prompt", "two", "--steps", "2", "--num-images", "2", "--out", folder / "two")
    record = json.loads((folder / "ranks" / "run.json").read_text())
    for stage, rank in zip(record["plan"]["stages"], record["ranks"]):
        stage["host"] = rank["host"] = rank["device"] = HOSTILE
    for place, key in ((record, "picture"), (record, "dtype"), (record["device"], "name"), (record["plan"], "strategy"),
                       (record["model"], "folder"), (record["options"]["prompt"], "value")):
        place[key] = HOSTILE
    record["options"][HOSTILE] = {"value": HOSTILE, "source": HOSTILE}
    record["versions"][HOSTILE] = HOSTILE
    (folder / "hostile").mkdir()
    (folder / "hostile" / "run.json").write_text(json.dumps(record))
    return [folder / "alone", folder / "ranks", folder / "two" / "1", folder / "hostile"]


def seconds_text(seconds):
    if seconds < 0.00005:
        return "0 s"
    if seconds < 0.01:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def percent_text(part, whole):
    percent = 100 * part / whole if whole > 0 else 0
    return "< 1 %" if 0 < percent < 0.5 else f"{percent:.0f} %"


def bytes_text(count):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count / 1024:.1f} KiB" if count >= 1024 else f"{count} B"


def text_of(element):
    return "".join(element.itertext()).strip()


def table(page, first_head):
    """The rows, as texts, of the table whose first column is called so."""
    for found in page.iter("table"):
        if text_of(next(found.iter("th"))) == first_head:
            return [[text_of(cell) for cell in row.iter("td")] for row in found.find("tbody")]
    sys.exit(f"FAILED: there is no table {first_head}")


def chart_after(page, heading):
    """Rows of the chart behind this heading: (name, figure, bars), a bar as (class, x, width) in shares."""
    for section in page.iter("section"):
        charts = [part for part in section if (part.get("class") or "").startswith("chart")]
        if text_of(section[0]) != heading or not charts:
            continue
        rows = []
        for row in charts[0]:
            if "axis" in row.get("class"):
                continue
            share = lambda text: float(text.removesuffix("%")) / 100  # noqa: E731
            bars = [(bar.get("class"), share(bar.get("x")), share(bar.get("width"))) for bar in row.iter("rect") if bar.get("class") != "ground"]
            rows.append((text_of(row[0]), text_of(row[2]), bars))
        return rows
    sys.exit(f"FAILED: there is no chart of {heading}")


def is_close(a, b):
    return abs(a - b) <= 2e-5


def check_contained(text, page):
    """Nothing that could be loaded, run or followed: neither elements, nor attributes, nor the style."""
    names = {element.tag for element in page.iter()}
    allowed = set("html head meta title style body header main section footer h1 h2 h3 p span div b i ul li dl dt dd table thead tbody tr th td "
                  "svg rect line text".split())
    assert names <= allowed, names - allowed
    for element in page.iter():
        for attribute in element.attrib:
            assert not attribute.startswith("on") and attribute not in ("href", "src", "style", "action", "srcset", "data"), attribute
        assert element.tag in VOID or element.get("http-equiv") is None
    style = page.find("head/style").text
    assert "url(" not in style and "@import" not in style
    policy = next(meta.get("content") for meta in page.iter("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-"), policy
    assert not re.search(r"https?://", text), "an address"


def seconds_of(record, rank):
    """Of all that a rank did; only rank 0 writes files."""
    write = record["seconds"]["write"] if rank["rank"] == 0 else 0
    return sum(filter(None, (rank["seconds"][phase] for phase in PHASES))) + write


def check_figures(page, record):
    ranks = record["ranks"]
    rows = table(page, "Rank")
    for row, rank in zip(rows, ranks, strict=True):
        load = rank["seconds"]["load"]
        known = [phase for phase in PHASES if rank["seconds"][phase] is not None]
        work = {phase: rank["seconds"][phase] - load[phase] for phase in known}
        expected = [f"Rank {rank['rank']}", seconds_text(sum(load[phase] for phase in known)),
                    *(seconds_text(work[phase]) if phase in known else "–" for phase in PHASES),
                    seconds_text(record["seconds"]["write"]) if rank["rank"] == 0 else "–",
                    seconds_text(seconds_of(record, rank))]
        assert row == expected, (row, expected)
    longest = max(seconds_of(record, rank) for rank in ranks)
    for (_, figure, bars), rank in zip(chart_after(page, "Where the time went"), ranks, strict=True):
        whole = seconds_of(record, rank)
        assert figure == seconds_text(whole) and is_close(sum(width for *_, width in bars), whole / longest), (figure, bars)
    for (name, figure, bars), rank in zip(chart_after(page, "Work and waiting while denoising"), ranks, strict=True):
        denoise = rank["denoise"]
        shares = [(kind, denoise[kind]) for kind in ("busy", "wait", "idle")]
        assert figure == " · ".join(f"{percent_text(part, denoise['seconds'])} {kind}" for kind, part in shares), figure
        for (kind, part), (colour, _, width) in zip(shares, bars, strict=True):
            assert colour == kind and is_close(width, part / denoise["seconds"]), (rank, bars)
    most = max(rank[key][phase] for rank in ranks for phase in PHASES for key in ("peak_bytes", "predicted_peak_bytes"))
    memory = chart_after(page, "Peak memory, predicted and measured")
    for (name, figure, bars), (rank, phase) in zip(memory, ((rank, phase) for rank in ranks for phase in PHASES), strict=True):
        predicted, measured = rank["predicted_peak_bytes"][phase], rank["peak_bytes"][phase]
        assert figure.startswith(f"{bytes_text(predicted)} → {bytes_text(measured)} · "), figure
        assert is_close(bars[0][2], predicted / most) and is_close(bars[1][2], measured / most), bars
    if len(ranks) > 1:
        for row, rank in zip(table(page, "Edge"), ranks, strict=True):
            edge = rank["edge"]
            assert row == [f"rank {rank['rank']} → rank {edge['to_rank']}", str(edge["messages"]), bytes_text(edge["bytes"]),
                           bytes_text(edge["bytes"] // edge["messages"]), seconds_text(edge["wait"])], row
    steps = record["seconds"]["steps"]
    columns = [rect for div in page.iter("div") if div.get("class") == "columns" for rect in div.iter("rect")]
    assert [text_of(rect) for rect in columns] == [f"Step {i + 1}: {seconds_text(step)}" for i, step in enumerate(steps)]
    tiles = {text_of(div[0]): text_of(div[1]) for div in next(s for s in page.iter("section") if s.get("class") == "tiles")}
    assert tiles["In all"] == seconds_text(sum(record["seconds"][part] for part in (*PHASES, "write"))), tiles
    assert tiles["A step"] == seconds_text(statistics.median(steps)), tiles
    assert tiles["Most memory"] == bytes_text(max(rank["peak_bytes"][phase] for rank in ranks for phase in PHASES)), tiles


def check_parameters(page, record):
    shown = {row[0]: row[1:] for row in table(page, "Option")}
    assert shown.keys() == record["options"].keys()
    for name, option in record["options"].items():
        expected = option["value"] if option["value"].strip() else "blank" if option["value"] else "none"
        assert shown[name] == [expected, option["source"]], (name, shown[name])


def check_pipeline(page, trace):
    """The bars in the middle of the run: as many as the trace has there."""
    names = {event["pid"]: event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "process_name"}
    assert len(names) == 3
    charts = [chart for chart in page.iter("div") if chart.get("class") == "chart pipeline"]
    assert len(charts) == 1
    computes = [rect for row in charts[0] for rect in row.iter("rect") if rect.get("class") in ("m0", "m1")]
    assert len(computes) >= 3 * 2 * 3, len(computes)  # ranks, branches, steps
    forwards = [text_of(rect) for rect in computes if text_of(rect).startswith("forward: ")]
    for text in forwards:
        step, seconds = re.fullmatch(r"forward: request 0, step (\d+), with the (?:negative )?prompt, (.+)", text).groups()
        durations = [event["dur"] / 1e6 for event in trace["traceEvents"]
                     if event["ph"] == "X" and event["name"] == "forward" and event.get("args", {}).get("step") == int(step) - 1]
        assert seconds in map(seconds_text, durations), text


def check_pages(layerpipe, folders):
    for folder in folders:
        told = run(layerpipe, "report", folder / "run.json")
        assert told.stdout == "" and told.stderr == f"{folder / 'report.html'}\n", told.stderr
        text = (folder / "report.html").read_text()
        page = ElementTree.fromstring(text)
        check_contained(text, page)
        record = json.loads((folder / "run.json").read_text())
        if folder.name == "hostile":
            shown = "".join(" " if letter in "\x01\x1b" else letter for letter in HOSTILE)
            assert text_of(next(element for element in page.iter("p") if element.get("class") == "prompt")) == shown.strip()
        else:
            check_figures(page, record)
            check_parameters(page, record)
        again = folder / "again.html"
        run(layerpipe, "report", folder / "run.json", "--out", again)
        assert again.read_text() == text, "the same run gives another page"
        again.unlink()
        print(f"{folder.relative_to(folders[0].parent)}: well-formed, self-contained, with the figures of run.json")
    ranks = next(folder for folder in folders if folder.name == "ranks")
    check_pipeline(ElementTree.fromstring((ranks / "report.html").read_text()), json.loads((ranks / "trace.json").read_text()))
    print("the pipeline is that of the trace")


def check_replaced_pages(layerpipe, alone):
    """Its own page is replaced, with what is new in it, another's with --overwrite; both are the run's own then."""
    run_json, page = alone / "run.json", alone / "report.html"
    written = lambda: {one["name"]: one["bytes"] for one in json.loads(run_json.read_text())["written"]}  # noqa: E731
    text = page.read_text()
    page.write_text("somebody's")
    done = subprocess.run([layerpipe, "report", run_json], capture_output=True, text=True)
    check(done.returncode == 2 and page.read_text() == "somebody's", "another's page stays")
    run(layerpipe, "report", run_json, "--overwrite")
    check(page.read_text() == text and written()["report.html"] == page.stat().st_size, "--overwrite replaces it")
    run(layerpipe, "report", run_json)
    page.unlink()
    run(layerpipe, "report", run_json, "--out", page)
    check(page.read_text() == text, "a page that is gone is written again")


def check_lost_traces(layerpipe, ranks):
    trace = ranks / "trace.json"
    content = trace.read_text()
    for what, text, note in (("cut short", content[:1000], "The trace of this run cannot be read."),
                             ("of another run", content.replace("rank 2 on", "rank 7 on"),
                              "The trace is of another run: its ranks are not those of this one."),
                             ("of a later run", content.replace(json.loads(content)["otherData"]["run_id"], "1789"),
                              "The trace is of another run, which wrote it over that of this one."),
                             ("gone", None, "The trace of this run is not where it was written, nor beside run.json.")):
        trace.unlink()
        if text is not None:
            trace.write_text(text)
        run(layerpipe, "report", ranks / "run.json", "--out", ranks / "without.html")
        check(note in (ranks / "without.html").read_text(), f"a trace that is {what} is left out, and the page says so")
        if text is None:
            trace.write_text(content)


def check_in_browser(folders):
    from headless_browser import Missing, browser
    try:
        with browser() as started:
            for folder in folders:
                grounds = set()
                for width, colours in ((1160, "light"), (1160, "dark"), (360, "light"), (360, "dark")):
                    context = started.new_context(viewport={"width": width, "height": 900}, color_scheme=colours)
                    page = context.new_page()
                    said, asked = [], []
                    page.on("console", lambda message: said.append(message.text))
                    page.on("pageerror", lambda error: said.append(str(error)))
                    page.on("request", lambda request: asked.append(request.url))
                    address = (folder / "report.html").resolve().as_uri()
                    page.goto(address)
                    assert said == [] and asked == [address], (folder, said, asked)
                    assert page.evaluate("window.hacked") is None
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{folder} is wider than {width} pixels"
                    grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
                    bars = page.evaluate("[...document.querySelectorAll('.bars rect:not(.ground)')].filter(bar => bar.getBBox().width > 0).length")
                    assert bars > 5, bars
                    context.close()
                assert len(grounds) == 2, grounds
                print(f"{folder.relative_to(folders[0].parent)}: wide, narrow, light and dark, without a word on the console")
    except Missing as missing:
        print(missing)
        sys.exit(77)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layerpipe", type=lambda path: pathlib.Path(needs.program(path)))
    parser.add_argument("run_sh", type=lambda path: pathlib.Path(needs.program(path)))
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folders = make_runs(options.layerpipe.resolve(), options.run_sh.resolve(), pathlib.Path(scratch))
        check_pages(options.layerpipe.resolve(), folders)
        if options.browser:
            check_in_browser(folders)
        else:
            check_replaced_pages(options.layerpipe.resolve(), folders[0])
            check_lost_traces(options.layerpipe.resolve(), folders[1])


main()
