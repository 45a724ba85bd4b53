"""The page that viewer_browser.py tests: its layers, what they should look like, and a hand that uses it."""

import io
import pathlib
import subprocess
import sys
import time

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from headless_browser import open_page  # noqa: E402

WIDTH, HEIGHT = 240, 160
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=\"window.hacked=1\">'\" & \U0001f31e 太阳\n{{data}}"
LONG = "long " * 2000
BACK, GLASS, EMPTY, DISC, FAINT = range(5)
NAMES = ["Back", "Glass", "Nothing here", HOSTILE, LONG]
CHANNEL_ERROR = 2  # canvases and screens round at every layer


def random_layers():
    rng = np.random.default_rng(7)
    layers = np.zeros((5, HEIGHT, WIDTH, 4), np.uint8)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    layers[BACK] = np.stack([40 + x // 2, 60 + y // 2, 90 + 0 * x, 255 + 0 * x], axis=2)
    layers[GLASS, 30:90, 20:100] = (200, 40, 60, 128)
    layers[GLASS, 31:60, 21:99, :3] = rng.integers(0, 256, (29, 78, 3))
    layers[GLASS, 31:60, 21:99, 3] = rng.integers(1, 256, (29, 78))
    inside = (x - 170) ** 2 + (y - 80) ** 2 < 30**2
    layers[DISC, inside] = (250, 220, 30, 255)
    layers[FAINT, 130:150, 40:70] = (255, 255, 255, 20)
    original = np.full((HEIGHT, WIDTH, 4), (10, 120, 240, 255), np.uint8)
    return layers, original


LAYERS, ORIGINAL = random_layers()


def over(layers, opacities=None, shifts=None):
    """All layers on each other: straight alpha, in floats."""
    color, alpha = np.zeros((HEIGHT, WIDTH, 3)), np.zeros((HEIGHT, WIDTH, 1))
    for i, layer in enumerate(layers):
        layer = shifted(layer, *(shifts or {}).get(i, (0, 0))).astype(float)
        source = layer[..., 3:] / 255 * (opacities or {}).get(i, 1)
        color = layer[..., :3] * source + color * (1 - source)
        alpha = source + alpha * (1 - source)
    return np.concatenate([color, 255 * alpha], axis=2)  # premultiplied


def shifted(layer, dx, dy):
    result = np.zeros_like(layer)
    height, width = HEIGHT - abs(dy), WIDTH - abs(dx)
    from_y, from_x, to_y, to_x = max(0, -dy), max(0, -dx), max(0, dy), max(0, dx)
    result[to_y:to_y + height, to_x:to_x + width] = layer[from_y:from_y + height, from_x:from_x + width]
    return result


def eventually(get, expected):
    """For what a browser does in its own time."""
    until = time.monotonic() + 5
    while (actual := get()) != expected and time.monotonic() < until:
        time.sleep(0.02)
    assert actual == expected, f"{actual} instead of {expected}"


def assert_close(actual, expected, what):
    difference = np.abs(actual.astype(float) - expected)
    assert difference.max() <= CHANNEL_ERROR, \
        f"{what}: differs by {difference.max():.0f} at {np.unravel_index(difference.argmax(), difference.shape)}"


class Viewer:
    """The page, and the words that the checks need."""

    def __init__(self, page):
        self.page = page

    def begin(self):
        """As the page was opened, at 100 %: pixel on pixel."""
        if self.page.evaluate("document.getElementById('help').open"):
            self.page.keyboard.press("Escape")
        self.page.evaluate("document.activeElement.blur()")
        self.page.keyboard.press("r")
        self.mode("arrange")
        for control, value in (("angle", 35), ("tilt", -14), ("spread", 50), ("split", 50)):
            self.slide(f"#{control}", value)
        self.select(DISC)
        self.page.click("#zoom-fit")
        self.page.click("#zoom-actual")
        self.page.mouse.move(2, 2)

    def mode(self, name):
        self.page.click(f"#mode-{name}")
        self.page.wait_for_selector("#stage:not(.turning)")

    def row(self, layer):
        return self.page.locator(f"#layers li[data-layer='{layer}']")

    def select(self, layer):
        self.row(layer).locator(".select").click(position={"x": 3, "y": 3})

    def slide(self, selector, value):
        """As a pointer would: the page hears of it."""
        self.page.locator(selector).evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }", value)

    def box(self, selector):
        return self.page.evaluate("s => { const b = document.querySelector(s).getBoundingClientRect();"
                                  " return [b.left, b.top, b.width, b.height]; }", selector)

    def zoom(self):
        return int(self.page.inner_text("#zoom-actual").removesuffix(" %"))

    def place(self, x, y):
        """The middle of a pixel of the document, in the window."""
        left, top, width, height = self.box("#artboard")
        return left + (x + 0.5) * width / WIDTH, top + (y + 0.5) * height / HEIGHT

    def drag(self, start, end, button="left"):
        self.page.mouse.move(*start)
        self.page.mouse.down(button=button)
        self.page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        self.page.mouse.move(*end)
        self.page.mouse.up(button=button)

    def screen(self):
        """The artboard's part of the window, RGB; at 100 % one pixel for each of the document."""
        left, top, width, height = self.box("#artboard")
        shot = self.page.screenshot(clip={"x": left, "y": top, "width": width, "height": height})
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))

    def expect(self, what, layers=LAYERS, opacities=None, shifts=None):
        """Compares the stage, without the outline of the selected layer, with what should be seen."""
        self.page.evaluate("document.querySelectorAll('.outline').forEach(o => { o.style.visibility = 'hidden'; })")
        expected = over(layers, opacities, shifts)
        assert (expected[..., 3] > 254.9).all(), "the check needs an opaque picture"
        assert_close(self.screen(), expected[..., :3], what)

    def saved(self, action):
        with self.page.expect_download(timeout=10_000) as waiting:
            action()
        download = waiting.value
        picture = Image.open(download.path())
        assert picture.format == "PNG" and picture.mode == "RGBA", (picture.format, picture.mode)
        return download.suggested_filename, np.asarray(picture)

    def state(self, layer):
        return self.page.evaluate(
            "i => ({ hidden: document.querySelector(`.plane[data-layer='${i}']`).hidden })", layer)

    def attribute(self, selector, name):
        return self.page.get_attribute(selector, name)


def watched_page(started, file):
    """The page, and a list that gets everything it loads, logs as an error, or fails with."""
    context = started.new_context(viewport={"width": 1100, "height": 800}, color_scheme="light", reduced_motion="reduce",
                                  offline=True)
    seen = []
    context.on("console", lambda message: seen.append(f"console: {message.text}") if message.type in ("error", "warning") else None)
    context.on("weberror", lambda error: seen.append(f"error: {error.error}"))
    context.on("request", lambda request: seen.append(f"request: {request.url[:100]}")
               if not request.url.startswith(("data:", "blob:")) and request.url != file.as_uri() else None)
    return open_page(context, file), seen


def write_pages(tool, folder):
    def save(name, pixels):
        Image.fromarray(pixels).save(folder / name)
        return folder / name

    def write(name, *words):
        subprocess.run([tool, "html", folder / name, *words], check=True, timeout=60)
        return folder / name

    words = [word for i, name in enumerate(NAMES) for word in ("layer", name, save(f"layer_{i}.png", LAYERS[i]))]
    full = write("full.html", *words, "original", save("original.png", ORIGINAL), "title", "Title </title><b>\"&amp;'",
                 "generator", "layerpipe test", "parameter", "Seed", "777", "parameter", "</dl>", HOSTILE)
    return {"full": full, "plain": write("plain.html", "layer", "", folder / "layer_0.png")}
