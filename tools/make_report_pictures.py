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
README_HEIGHT = 1500


def picture(started, file, view, media="screen"):
    (width, height), colors = VIEWS[view]
    context = started.new_context(viewport={"width": width, "height": height}, color_scheme=colors, java_script_enabled=False)
    page = context.new_page()
    page.emulate_media(media=media)
    page.goto(pathlib.Path(file).resolve().as_uri())
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    context.close()
    return shot


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    with browser() as started:
        if options.out.suffix == ".png":
            shot = picture(started, options.page, "wide-light")
            shot.crop((0, 0, shot.width, min(README_HEIGHT, shot.height))).quantize(128).save(options.out, optimize=True)
            return
        options.out.mkdir(parents=True, exist_ok=True)
        for view in VIEWS:
            picture(started, options.page, view).save(options.out / f"{view}.png")
        picture(started, options.page, "wide-dark", media="print").save(options.out / "print.png")


main()
