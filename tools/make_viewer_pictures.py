#!/usr/bin/env python3
"""Pictures of the page that write_html makes, for docs/ and to be looked at. Needs chromium, playwright and Pillow.

    python3 tools/make_viewer_pictures.py PAGE.html FOLDER                 # every view, wide and narrow, light and dark
    python3 tools/make_viewer_pictures.py PAGE.html docs/viewer.png        # the one of the README

docs/viewer.png shows what the demo's model makes of a picture of the demo:

    build/layerpipe decompose --model demo/model --image demo/pictures/weather.png --prompt "$(cat demo/pictures/weather.txt)" \\
        --resolution 256 --any-resolution --layers 4 --original-size --out OUT
    build/tests/media_tool html PAGE.html layer "Sky and hills" OUT/layer_0.png layer Sun OUT/layer_1.png \\
        layer Cloud OUT/layer_2.png layer Letters OUT/layer_3.png original demo/pictures/weather.png \\
        title "$(cat demo/pictures/weather.txt)" generator "layerpipe 0.1.0" \\
        parameter Model demo/model parameter Seed 777 parameter Steps 50 parameter Guidance 4 parameter Precision "fp32 on cpu"

Text is drawn in Inter where that font is installed (Debian's fonts-inter), as the page asks for it.
"""

import argparse
import io
import pathlib

import needs

needs.packages("PIL", "playwright")

from headless_browser import Missing, browser, open_page  # noqa: E402
from PIL import Image  # noqa: E402

WIDE, NARROW = (1360, 860), (390, 844)
SETTLED_MS = 700  # after the view has turned
# name: window, colours, and what is done before the picture is taken
VIEWS = {
    "wide-light": (WIDE, "light", None),
    "wide-dark": (WIDE, "dark", None),
    "exploded": (WIDE, "light", lambda page: page.click("#mode-explode")),
    "exploded-dark": (WIDE, "dark", lambda page: page.click("#mode-explode")),
    "compare": (WIDE, "light", lambda page: page.click("#mode-compare")),
    "compare-dark": (WIDE, "dark", lambda page: page.click("#mode-compare")),
    "help": (WIDE, "light", lambda page: page.click("#help-open")),
    "narrow-light": (NARROW, "light", None),
    "narrow-dark": (NARROW, "dark", lambda page: page.click("#mode-explode")),
    "narrow-compare": (NARROW, "light", lambda page: page.click("#mode-compare")),
}


def picture(started, file, view):
    (width, height), colors, prepare = VIEWS[view]
    context = started.new_context(viewport={"width": width, "height": height}, color_scheme=colors)
    page = open_page(context, file)
    if prepare:
        prepare(page)
    page.wait_for_timeout(SETTLED_MS)
    shot = Image.open(io.BytesIO(page.screenshot(full_page=width == NARROW[0]))).convert("RGB")
    context.close()
    return shot


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    with browser() as started:
        if options.out.suffix == ".png":
            picture(started, options.page, "exploded").save(options.out, optimize=True)
            return
        options.out.mkdir(parents=True, exist_ok=True)
        for view in VIEWS:
            picture(started, options.page, view).save(options.out / f"{view}.png")


try:
    main()
except Missing as missing:
    what, cure = str(missing).split("; ", 1) if "; " in str(missing) else (str(missing), "")
    needs.stop(what, cure)
