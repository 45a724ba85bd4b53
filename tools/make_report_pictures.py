#!/usr/bin/env python3
"""Pictures of the page that `layerpipe report` makes, for docs/ and to be looked at. Needs chromium, playwright and Pillow.

    python3 tools/make_report_pictures.py PAGE.html FOLDER                 # wide and narrow, light and dark, and a print
    python3 tools/make_report_pictures.py PAGE.html docs/report.png        # the upper part, as the README shows it
    python3 tools/make_report_pictures.py --pipeline PAGE.html... docs/pipeline.png  # of each page the pipeline, step by step

docs/report.png shows a run of the demo's model on two ranks:

    launch/run.sh -n 2 decompose --model demo/model --image demo/pictures/weather.png \\
        --prompt "$(cat demo/pictures/weather.txt)" --resolution 256 --any-resolution --steps 20 --out OUT --trace trace.json
    build/layerpipe report OUT/run.json

docs/pipeline.png shows three runs, each with --trace: of two GPUs as tools/bench_pipeline.py starts them, FOLDER/1024_2_guided and
FOLDER/1024_2_many/0 (--stages 2 --resolution 1024 --folder FOLDER), and of four ranks on two cores:

    OMP_NUM_THREADS=1 launch/run.sh -n 4 decompose --model demo/model --image demo/pictures/weather.png \\
        --prompt "$(cat demo/pictures/weather.txt)" --resolution 256 --any-resolution --steps 8 --num-images 4 --out OUT --trace trace.json
"""

import argparse
import io
import pathlib

import needs

needs.packages("PIL", "playwright")

from headless_browser import Missing, browser  # noqa: E402
from PIL import Image  # noqa: E402

WIDE, NARROW = (1160, 900), (390, 844)
VIEWS = {"wide-light": (WIDE, "light"), "wide-dark": (WIDE, "dark"), "narrow-light": (NARROW, "light"), "narrow-dark": (NARROW, "dark")}
MARGIN = 20


def photograph(started, file, view, media="screen"):
    """The whole page; and, in its pixels, the boxes of the heading of the pipeline and of the part that this ends."""
    (width, height), colors = VIEWS[view]
    context = started.new_context(viewport={"width": width, "height": height}, color_scheme=colors, java_script_enabled=False)
    page = context.new_page()
    page.emulate_media(media=media)
    page.goto(pathlib.Path(file).resolve().as_uri())
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    head = page.locator("h3", has_text="The pipeline")
    boxes = head.bounding_box(), page.locator("section", has=head).bounding_box()
    context.close()
    return shot, *boxes


def upper_part(started, page):
    """To the end of the part with the timeline, which is as much as the README shows."""
    shot, _, section = photograph(started, page, "wide-light")
    return shot.crop((0, 0, shot.width, min(round(section["y"] + section["height"]) + MARGIN, shot.height)))


def pipelines(started, pages):
    """The parts with the pipeline of several pages, one below the other."""
    parts = []
    for page in pages:
        shot, head, section = photograph(started, page, "wide-light")
        parts.append(shot.crop((round(section["x"]) + 1, round(head["y"] - MARGIN), round(section["x"] + section["width"]) - 1,
                                round(section["y"] + section["height"]) - MARGIN // 2)))
    whole = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path, nargs="+")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--pipeline", action="store_true")
    options = parser.parse_args()
    if len(options.page) > 1 and not options.pipeline:
        parser.error("several pages are for --pipeline")
    with browser() as started:
        if options.out.suffix == ".png":
            shot = pipelines(started, options.page) if options.pipeline else upper_part(started, options.page[0])
            shot.quantize(256).save(options.out, optimize=True)
            return
        options.out.mkdir(parents=True, exist_ok=True)
        for view in VIEWS:
            photograph(started, options.page[0], view)[0].save(options.out / f"{view}.png")
        photograph(started, options.page[0], "wide-dark", media="print")[0].save(options.out / "print.png")


try:
    main()
except Missing as missing:
    what, cure = str(missing).split("; ", 1) if "; " in str(missing) else (str(missing), "")
    needs.stop(what, cure)
