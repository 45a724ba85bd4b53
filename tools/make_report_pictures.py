#!/usr/bin/env python3
"""Pictures of the page that `layerpipe report` makes, for docs/ and to be looked at. Needs chromium, playwright and Pillow.

    python3 tools/make_report_pictures.py PAGE.html FOLDER                 # wide and narrow, light and dark, and a print
    python3 tools/make_report_pictures.py PAGE.html docs/report.png        # the upper part, as the README shows it

docs/report.png shows a run of the demo's model on two ranks:

    launch/run.sh -n 2 decompose --model demo/model --image demo/pictures/weather.png \\
        --prompt "$(cat demo/pictures/weather.txt)" --resolution 256 --any-resolution --steps 20 --out OUT --trace trace.json
    build/layerpipe report OUT/run.json
"""

import argparse
import io
import pathlib

from headless_browser import browser
from PIL import Image

WIDE, NARROW = (1160, 900), (390, 844)
VIEWS = {"wide-light": (WIDE, "light"), "wide-dark": (WIDE, "dark"), "narrow-light": (NARROW, "light"), "narrow-dark": (NARROW, "dark")}
MARGIN = 20


def picture(started, file, view, media="screen"):
    (width, height), colors = VIEWS[view]
    context = started.new_context(viewport={"width": width, "height": height}, color_scheme=colors, java_script_enabled=False)
    page = context.new_page()
    page.emulate_media(media=media)
    page.goto(pathlib.Path(file).resolve().as_uri())
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    # The end of the part with the timeline, which is as much as the README shows.
    box = page.locator("section", has=page.locator("h3", has_text="The pipeline")).bounding_box()
    context.close()
    return shot, round(box["y"] + box["height"]) + MARGIN


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    with browser() as started:
        if options.out.suffix == ".png":
            shot, height = picture(started, options.page, "wide-light")
            shot.crop((0, 0, shot.width, min(height, shot.height))).quantize(256).save(options.out, optimize=True)
            return
        options.out.mkdir(parents=True, exist_ok=True)
        for view in VIEWS:
            picture(started, options.page, view)[0].save(options.out / f"{view}.png")
        picture(started, options.page, "wide-dark", media="print")[0].save(options.out / "print.png")


main()
