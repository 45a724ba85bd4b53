"""Uses every control of the page that write_html makes, in a headless browser, and looks at what it does.

    python3 tests/media/viewer_browser.py BUILD/tests/media_tool [--only WORDS]

Exit code 1 and a line for each check that fails, 77 where chromium or playwright is missing.
"""

import argparse
import functools
import pathlib
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from viewer_page import (BACK, DISC, EMPTY, FAINT, GLASS, HEIGHT, HOSTILE, LAYERS, LONG, NAMES, ORIGINAL, WIDTH, Viewer, assert_close,  # noqa: E402
                         eventually, over, shifted, watched_page, write_pages)

from headless_browser import Missing, browser  # noqa: E402

# The checks. Each begins with the page as it was opened. ---------------------------------------------------------


def shows_the_composite(viewer):
    viewer.expect("the composite")


def names_everything(viewer):
    page = viewer.page
    assert page.evaluate("window.hacked") is None
    assert page.title().startswith("Title </title>"), page.title()
    assert page.inner_text("#title") == 'Title </title><b>"&amp;\'', page.inner_text("#title")
    assert page.inner_text("#summary") == f"{WIDTH} × {HEIGHT} pixels · 5 layers · layerpipe test"
    shown = page.locator("#layers .name").all_text_contents()
    assert shown == [LONG[:199] + "…", HOSTILE, *reversed(NAMES[:3])], shown
    sizes = page.locator("#layers .size").all_text_contents()
    assert sizes == ["30 × 20", "59 × 59", "Empty", "80 × 60", "240 × 160"], sizes
    if page.get_attribute("#details", "open") is None:
        page.click("summary")
    parameters = dict(zip(page.locator("#parameters dt").all_text_contents(), page.locator("#parameters dd").all_text_contents()))
    assert parameters["Seed"] == "777" and parameters["</dl>"] == HOSTILE and parameters["Made by"] == "layerpipe test"
    page.click("summary")
    assert page.get_attribute("#details", "open") is None
    page.click("summary")
    assert page.locator("#parameters").is_visible()


def thumbnails_show_what_is_seen(viewer):
    for layer, color in ((BACK, None), (GLASS, None), (DISC, (250, 220, 30))):
        pixels = viewer.row(layer).locator("canvas").evaluate(
            "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)")
        pixels = np.array(pixels).reshape(112, 112, 4)
        assert pixels[56, 56, 3] > 100
        if color:
            assert np.abs(pixels[56, 56, :3] - color).max() <= 2
            assert pixels[56, 2, 3] > 0, "a small layer fills its thumbnail"
    empty = viewer.row(EMPTY).locator("canvas").evaluate("c => c.getContext('2d').getImageData(0, 0, 112, 112).data.some(v => v)")
    assert not empty


def empty_layers_are_said_to_be_empty(viewer):
    row = viewer.row(EMPTY)
    for selector in (".solo", ".visible", ".opacity input"):
        assert row.locator(selector).is_disabled(), selector
    viewer.select(EMPTY)
    assert viewer.page.inner_text("#inspector-size") == "This layer is empty: nothing in it can be seen."
    for control in ("position-x", "position-y", "position-reset", "save-cropped", "save-full"):
        assert viewer.page.is_disabled(f"#{control}"), control
    for key in ("v", "s", "ArrowLeft"):  # do nothing
        viewer.page.keyboard.press(key)
    viewer.expect("after keys on an empty layer")


def visibility_switches(viewer):
    for layer in (GLASS, DISC, FAINT):
        switch = viewer.row(layer).locator(".visible")
        switch.click()
        assert switch.get_attribute("aria-checked") == "false"
        viewer.expect(f"without layer {layer}", LAYERS * (np.arange(5) != layer)[:, None, None, None])
        switch.click()
        assert switch.get_attribute("aria-checked") == "true"
    viewer.expect("all again")
    viewer.row(BACK).locator(".visible").click()
    corner = viewer.screen()[2:18, 140:158].reshape(-1, 3)
    assert len(np.unique(corner, axis=0)) == 2, "the checkerboard shows"


def opacity_sliders(viewer):
    viewer.slide(f"#layers li[data-layer='{GLASS}'] .opacity input", 40)
    viewer.slide(f"#layers li[data-layer='{DISC}'] .opacity input", 75)
    viewer.expect("faded", opacities={GLASS: 0.4, DISC: 0.75})
    assert viewer.row(GLASS).locator("output").inner_text() == "40 %"
    slider = viewer.row(DISC).locator(".opacity input")
    slider.focus()
    viewer.page.keyboard.press("ArrowLeft")
    assert slider.input_value() == "74"
    viewer.expect("by keyboard", opacities={GLASS: 0.4, DISC: 0.74})  # and the layer has not moved


def solo(viewer):
    button = viewer.row(GLASS).locator(".solo")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert [viewer.state(i)["hidden"] for i in range(5)] == [True, False, True, True, True]
    viewer.row(DISC).locator(".solo").click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not viewer.state(DISC)["hidden"] and viewer.state(GLASS)["hidden"]
    viewer.row(DISC).locator(".solo").click()
    viewer.expect("solo ended")
    button.click()
    viewer.page.keyboard.press("Escape")
    viewer.expect("solo ended by Esc")


def reset_undoes_everything(viewer):
    viewer.row(DISC).locator(".visible").click()
    viewer.slide(f"#layers li[data-layer='{GLASS}'] .opacity input", 10)
    viewer.select(GLASS)
    viewer.page.keyboard.press("Shift+ArrowDown")
    viewer.row(FAINT).locator(".solo").click()
    viewer.page.click("#reset")
    viewer.expect("after reset")


def dragging_moves_the_layer_under_the_pointer(viewer):
    viewer.select(BACK)
    viewer.drag(viewer.place(170, 80), viewer.place(140, 97))
    assert viewer.attribute(".layer.selected", "data-layer") == str(DISC)
    viewer.expect("moved disc", shifts={DISC: (-30, 17)})
    assert viewer.page.input_value("#position-x") == "111" and viewer.page.input_value("#position-y") == "68"
    assert viewer.page.inner_text("#inspector-size") == "59 × 59 pixels, moved by −30, +17"
    viewer.drag(viewer.place(30, 80), viewer.place(35, 78))  # the glass
    viewer.expect("moved glass too", shifts={DISC: (-30, 17), GLASS: (5, -2)})
    viewer.drag(viewer.place(5, 5), viewer.place(-40, 5))  # the back: what leaves the document is cut off
    corner = viewer.screen()[2:20, -20:].reshape(-1, 3)
    assert len(np.unique(corner, axis=0)) == 2, "the checkerboard shows"
    # The disc's box has clear corners: what lies behind them is taken.
    viewer.page.keyboard.press("r")
    viewer.drag(viewer.place(143, 53), viewer.place(143, 54))
    assert viewer.attribute(".layer.selected", "data-layer") == str(BACK)


def dragging_at_another_zoom(viewer):
    viewer.page.click("#zoom-fit")
    assert viewer.zoom() > 200
    viewer.drag(viewer.place(170, 80), viewer.place(175, 90))
    viewer.page.click("#zoom-actual")
    viewer.expect("moved at another zoom", shifts={DISC: (5, 10)})


def arrow_keys_move(viewer):
    press = viewer.page.keyboard.press
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowUp", "ArrowUp", "ArrowRight"):
        press(key)
    viewer.expect("moved by keys", shifts={DISC: (9, -10)})
    assert viewer.page.inner_text("#status").endswith(": 150, 41"), viewer.page.inner_text("#status")


def position_fields(viewer):
    viewer.page.fill("#position-x", "100")
    viewer.page.fill("#position-y", "60")
    viewer.expect("placed", shifts={DISC: (-41, 9)})
    viewer.page.focus("#position-x")
    viewer.page.keyboard.press("ArrowUp")
    viewer.expect("stepped", shifts={DISC: (-40, 9)})
    viewer.page.fill("#position-x", "")  # no number: nothing happens
    viewer.expect("no number", shifts={DISC: (-40, 9)})
    viewer.page.click("#position-reset")
    viewer.expect("put back")
    assert viewer.page.is_disabled("#position-reset")
    assert viewer.page.input_value("#position-x") == "141"


def selected_layer_has_an_outline(viewer):
    left, top, width, height = viewer.box(f".plane[data-layer='{DISC}'] .outline")
    x, y = viewer.place(141, 51)
    assert (round(left - x + 0.5), round(top - y + 0.5), width, height) == (0, 0, 59, 59), (left - x, top - y, width, height)
    assert viewer.page.locator(f".plane[data-layer='{DISC}'] .outline").evaluate("o => getComputedStyle(o).opacity") == "1"
    assert viewer.page.locator(f".plane[data-layer='{GLASS}'] .outline").evaluate("o => getComputedStyle(o).opacity") == "0"


def exploded_view(viewer):
    viewer.mode("explode")
    assert viewer.attribute("#mode-explode", "aria-pressed") == "true" and viewer.attribute("#mode-arrange", "aria-pressed") == "false"

    def middles():
        boxes = [viewer.box(f".plane[data-layer='{i}']") for i in (BACK, GLASS, DISC, FAINT)]
        return [left + width / 2 for left, _, width, _ in boxes], boxes

    before, boxes = middles()
    assert all(b - a > 20 for a, b in zip(before, before[1:])), f"layers are spread from left to right: {before}"
    stage = viewer.box("#stage")
    for left, top, width, height in boxes:
        assert left >= stage[0] and top >= stage[1] and left + width <= stage[0] + stage[2] and top + height <= stage[1] + stage[3]
    assert viewer.page.evaluate("getComputedStyle(document.getElementById('scene')).transform").startswith("matrix3d")
    viewer.slide("#spread", 0)
    assert max(middles()[0]) - min(middles()[0]) < 1
    viewer.slide("#spread", 100)
    viewer.slide("#angle", -60)
    after, _ = middles()
    assert all(a - b > 20 for a, b in zip(after, after[1:])), f"the other way round: {after}"
    viewer.slide("#angle", 0)
    viewer.slide("#tilt", 50)
    tops = [top + height / 2 for _, top, _, height in middles()[1]]
    assert all(a - b > 10 for a, b in zip(tops, tops[1:])), f"seen from below: {tops}"
    # Dragging turns, and a click selects.
    left, top, width, height = viewer.box("#stage")
    viewer.drag((left + 60, top + 60), (left + 160, top + 60))
    assert viewer.page.input_value("#angle") == "35"
    viewer.drag((left + 60, top + 60), (left + 60, top + 160))
    assert viewer.page.input_value("#tilt") == "15"
    left, top, width, height = viewer.box(f".plane[data-layer='{BACK}']")
    viewer.page.mouse.click(left + 8, top + height / 2)
    assert viewer.attribute(".layer.selected", "data-layer") == str(BACK)
    viewer.page.keyboard.press("v")
    assert viewer.state(BACK)["hidden"]
    viewer.page.keyboard.press("v")
    viewer.mode("arrange")
    viewer.page.click("#zoom-actual")
    viewer.expect("flat again")


def comparison(viewer):
    page = viewer.page
    viewer.mode("compare")
    page.click("#zoom-actual")
    composite = over(LAYERS)[..., :3]

    def expect(split):
        screen = viewer.screen()
        page_column = split * WIDTH / 100
        # Without the labels, at the top, and the divider with its grip.
        rows = np.r_[36:HEIGHT // 2 - 32, HEIGHT // 2 + 32:HEIGHT]
        left, right = np.arange(0, int(page_column) - 3), np.arange(int(page_column) + 4, WIDTH)
        if left.size:
            assert_close(screen[np.ix_(rows, left)], ORIGINAL[np.ix_(rows, left)][..., :3], f"original at {split}")
        if right.size:
            assert_close(screen[np.ix_(rows, right)], composite[np.ix_(rows, right)], f"layers at {split}")
        divider = viewer.box("#divider")
        assert abs(divider[0] + 1 - viewer.box("#artboard")[0] - page_column) < 0.6, divider

    expect(50)
    for split in (0, 25, 100):
        viewer.slide("#split", split)
        expect(split)
    viewer.drag(viewer.place(120, 80), viewer.place(179.5, 80))
    assert page.input_value("#split") == "75"
    expect(75)
    page.focus("#split")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#split") == "75.5"
    viewer.mode("arrange")
    page.click("#zoom-actual")
    viewer.expect("no comparison any more")


def zoom_and_pan(viewer):
    page = viewer.page
    assert viewer.zoom() == 100
    page.click("#zoom-in")
    assert viewer.zoom() == 125 and viewer.box("#artboard")[2] == WIDTH * 1.25
    page.click("#zoom-out")
    page.click("#zoom-out")
    assert viewer.zoom() == 80
    page.keyboard.press("+")
    assert viewer.zoom() == 100
    page.keyboard.press("-")
    assert viewer.zoom() == 80
    page.keyboard.press("0")
    left, top, width, height = viewer.box("#artboard")
    stage = viewer.box("#stage")
    assert abs(left + width / 2 - stage[0] - stage[2] / 2) < 1 and width > 0.85 * stage[2] or height > 0.7 * stage[3]
    page.click("#zoom-actual")

    def moved(action):
        before = viewer.box("#artboard")
        action()
        after = viewer.box("#artboard")
        return round(after[0] - before[0]), round(after[1] - before[1])

    corner = (stage[0] + 20, stage[1] + 20)
    assert moved(lambda: viewer.drag(corner, (corner[0] + 15, corner[1] + 25))) == (15, 25)
    middle = viewer.place(170, 80)
    page.mouse.move(*middle)
    left, top, _, _ = viewer.box("#artboard")
    page.mouse.wheel(30, 40)
    eventually(lambda: viewer.box("#artboard")[:2], [left - 30, top - 40])
    middle = viewer.place(170, 80)
    assert moved(lambda: viewer.drag(middle, (middle[0] - 12, middle[1] + 8), button="middle")) == (-12, 8)
    page.focus("#stage")
    page.keyboard.down("Space")
    middle = viewer.place(170, 80)
    assert moved(lambda: viewer.drag(middle, (middle[0] + 9, middle[1]))) == (9, 0)
    page.keyboard.up("Space")
    viewer.expect("nothing but the view has moved")
    x, y = viewer.place(170, 80)
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    eventually(lambda: viewer.zoom() != 100, True)
    page.keyboard.up("Control")
    eventually(viewer.zoom, 149)
    now = viewer.place(170, 80)
    assert abs(now[0] - x) < 1 and abs(now[1] - y) < 1, "the wheel zooms around the pointer"


def pinching(viewer):
    session = viewer.page.context.new_cdp_session(viewer.page)
    x, y = viewer.place(120, 80)

    def touch(kind, *points):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [
            {"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]})

    touch("touchStart", (x - 40, y))
    touch("touchStart", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 40, y), (x + 120, y))
    touch("touchEnd")
    eventually(viewer.zoom, 200)
    viewer.page.click("#zoom-actual")
    viewer.expect("nothing but the view has changed")


def saving_a_layer(viewer):
    viewer.select(GLASS)
    name, pixels = viewer.saved(lambda: viewer.page.click("#save-cropped"))
    assert name == "Glass (cropped).png", name
    assert np.array_equal(pixels, LAYERS[GLASS, 30:90, 20:100])
    name, pixels = viewer.saved(lambda: viewer.page.click("#save-full"))
    assert name == "Glass.png" and np.array_equal(pixels, LAYERS[GLASS])
    for x, y, shift in ((-10, 130, (-30, 100)), (200, -20, (180, -50)), (400, 30, None)):
        viewer.page.fill("#position-x", str(x))
        viewer.page.fill("#position-y", str(y))
        _, pixels = viewer.saved(lambda: viewer.page.click("#save-full"))
        expected = shifted(LAYERS[GLASS], *shift) if shift else np.zeros_like(LAYERS[GLASS])
        assert np.array_equal(pixels, expected), f"at {x}, {y}"
    viewer.select(DISC)
    name, pixels = viewer.saved(lambda: viewer.page.click("#save-full"))
    assert name.endswith(".png") and not set(name) & set("<>:\"/\\|?*\n") and np.array_equal(pixels, LAYERS[DISC]), name
    viewer.select(FAINT)
    name, _ = viewer.saved(lambda: viewer.page.click("#save-cropped"))
    assert len(name) < 90 and name.startswith("long long"), name


def saving_the_picture(viewer):
    name, pixels = viewer.saved(lambda: viewer.page.click("#save-composite"))
    assert name == "Title title b &amp;' (layers).png", name
    assert_close(pixels, over(LAYERS), "the composite")
    viewer.row(BACK).locator(".visible").click()
    viewer.slide(f"#layers li[data-layer='{GLASS}'] .opacity input", 60)
    viewer.page.keyboard.press("]")
    viewer.select(DISC)
    viewer.page.keyboard.press("Shift+ArrowLeft")
    _, pixels = viewer.saved(lambda: viewer.page.keyboard.press("d"))
    pixels = pixels.astype(float)
    pixels[..., :3] *= pixels[..., 3:] / 255  # thin pixels have lost their colours' lower bits
    assert_close(pixels, over(LAYERS * (np.arange(5) != BACK)[:, None, None, None], {GLASS: 0.6}, {DISC: (-10, 0)}), "as it is now")


def keys(viewer):
    page, press = viewer.page, viewer.page.keyboard.press
    for key, mode in (("2", "explode"), ("3", "compare"), ("1", "arrange")):
        press(key)
        assert viewer.attribute("#stage", "data-mode") == mode
        assert page.locator("#explode-controls").is_visible() == (mode == "explode")
        assert page.locator("#compare-controls").is_visible() == (mode == "compare")
    selected = []
    for key in "]]][[[[[":
        press(key)
        selected.append(int(viewer.attribute(".layer.selected", "data-layer")))
    press("Alt+]")  # where the keyboard has it there
    assert viewer.attribute(".layer.selected", "data-layer") == str(GLASS)
    press("[")
    assert selected == [FAINT, FAINT, FAINT, DISC, GLASS, BACK, BACK, BACK], selected  # the empty one is passed over
    press("v")
    assert viewer.state(BACK)["hidden"]
    press("V")
    assert not viewer.state(BACK)["hidden"]
    press("s")
    assert viewer.state(GLASS)["hidden"]
    press("s")
    press("Control+s")  # is the browser's
    assert not viewer.state(GLASS)["hidden"]
    page.focus("#position-x")
    press("r")  # typed into a field, it is no shortcut
    press("v")
    assert not viewer.state(BACK)["hidden"]


def help_dialog(viewer):
    page = viewer.page
    page.click("#help-open")
    assert page.locator("#help").is_visible() and page.evaluate("document.activeElement.id") == "help-close"
    page.keyboard.press("v")  # nothing happens behind the dialog
    page.click("#help-close")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    viewer.expect("after help")


def theme(viewer):
    page = viewer.page
    color = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    light = color()
    assert viewer.attribute("#theme", "aria-pressed") == "false"
    page.click("#theme")
    dark = color()
    assert viewer.attribute("#theme", "aria-pressed") == "true" and dark != light
    page.keyboard.press("t")
    assert color() == light
    page.evaluate("delete document.documentElement.dataset.theme")
    page.emulate_media(color_scheme="dark")
    eventually(color, dark)
    eventually(lambda: viewer.attribute("#theme", "aria-pressed"), "true")
    page.emulate_media(color_scheme="light")
    eventually(color, light)
    eventually(lambda: viewer.attribute("#theme", "aria-pressed"), "false")


def everything_is_reached_by_tab(viewer):
    page = viewer.page
    for mode in ("arrange", "explode", "compare"):
        viewer.mode(mode)
        page.keyboard.press("Shift+ArrowLeft")  # so that "Put back" is enabled
        page.evaluate("document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus()")
        wanted = page.evaluate("""Array.from(document.querySelectorAll("button, input, summary, [tabindex='0']"))
            .filter(e => !e.disabled && e.checkVisibility({ visibilityProperty: true }) && !e.closest("dialog")).length""")
        page.evaluate("window.reached = new Set()")
        for _ in range(wanted):
            page.keyboard.press("Tab")
            problem = page.evaluate("""() => {
                const e = document.activeElement;
                window.reached.add(e);
                const label = e.ariaLabel || e.textContent.trim() || (e.labels && e.labels[0]?.textContent.trim());
                if (!label) return `${e.outerHTML} has no name`;
                const outlines = [getComputedStyle(e), getComputedStyle(e, "::before")];
                const seen = outlines.some(o => o.outlineStyle === "solid" && parseFloat(o.outlineWidth) >= 2);
                return seen ? null : `${e.outerHTML} shows no focus`;
            }""")
            assert problem is None, problem
        reached = page.evaluate("window.reached.delete(document.body), window.reached.size")
        assert reached == wanted, f"Tab reaches {reached} of {wanted} controls in {mode}"
    page.evaluate("document.body.removeAttribute('tabindex')")


def fits_narrow_windows(viewer):
    page = viewer.page
    before = page.viewport_size
    for width in (320, 390, 480, 700, 1000, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        for mode in ("arrange", "explode", "compare"):
            viewer.mode(mode)
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{overflow} pixels too wide at {width} in {mode}"
            outside = page.evaluate("""Array.from(document.querySelectorAll("button, input, output"))
                .filter(e => e.checkVisibility() && !e.closest("dialog"))
                .filter(e => { const b = e.getBoundingClientRect(); return b.left < 0 || b.right > innerWidth + 0.5 || b.width < 8; })
                .map(e => e.outerHTML)""")
            assert not outside, f"at {width} in {mode}: {outside}"
            left, top, board, _ = viewer.box("#stage")
            boxes = [viewer.box(f"#{i}") for i in ("zoom-controls", f"{mode}-controls")[: 1 if mode == "arrange" else 2]]
            for a, b in zip(boxes, boxes[1:]):
                apart = a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
                assert apart, f"controls lie on each other at {width} in {mode}"
        page.click("#help-open")
        left, _, dialog, _ = viewer.box("#help")
        assert left >= 0 and left + dialog <= width
        page.keyboard.press("Escape")
    page.set_viewport_size(before)


def motion_can_be_reduced(viewer):
    page = viewer.page
    running = "document.getAnimations().length"
    page.keyboard.press("2")
    assert page.evaluate(running) == 0 and page.locator("#stage.turning").count() == 0
    page.keyboard.press("1")
    page.emulate_media(reduced_motion="no-preference")
    # A busy machine may look only when it is over.
    page.evaluate("""() => { window.begun = 0;
        for (const event of ["transitionrun", "animationstart"]) document.addEventListener(event, () => { ++window.begun; }); }""")
    page.keyboard.press("2")
    page.wait_for_function("window.begun > 0")  # the view turns smoothly
    page.wait_for_selector("#stage:not(.turning)")
    page.wait_for_function(f"{running} === 0")
    page.keyboard.press("1")
    page.wait_for_selector("#stage:not(.turning)")
    viewer.page.click("#zoom-actual")
    viewer.expect("turned back")
    page.emulate_media(reduced_motion="reduce")


CHECKS = [shows_the_composite, names_everything, thumbnails_show_what_is_seen, empty_layers_are_said_to_be_empty, visibility_switches,
          opacity_sliders, solo, reset_undoes_everything, dragging_moves_the_layer_under_the_pointer, dragging_at_another_zoom,
          arrow_keys_move, position_fields, selected_layer_has_an_outline, exploded_view, comparison, zoom_and_pan, pinching,
          saving_a_layer, saving_the_picture, keys, help_dialog, theme, everything_is_reached_by_tab, fits_narrow_windows,
          motion_can_be_reduced]


# Pages of their own --------------------------------------------------------------------------------------------------


def page_without_original(started, files):
    viewer = Viewer(watched_page(started, files["plain"])[0])
    assert viewer.page.is_disabled("#mode-compare")
    viewer.page.keyboard.press("3")
    assert viewer.attribute("#stage", "data-mode") == "arrange"
    assert viewer.page.inner_text("#title") == "Layers" and "1 layer" in viewer.page.inner_text("#summary")


def network_is_forbidden(started, files):
    page, _ = watched_page(started, files["plain"])
    forbidden = page.evaluate("""async () => {
        const violations = [];
        document.addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective));
        await fetch("http://localhost:9/").catch(() => {});
        new Image().src = "http://localhost:9/a.png";
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<p style='color: red' onclick='window.hacked = 1'>");
        document.body.lastElementChild.click();
        await new Promise((resolve) => setTimeout(resolve, 200));
        return [violations.sort(), window.hacked];
    }""")
    assert forbidden == [["connect-src", "img-src", "script-src-attr", "script-src-elem", "style-src-attr"], None], forbidden


def says_when_it_cannot_be_shown(started, files):
    broken = files["plain"].with_name("broken.html")
    broken.write_text(files["plain"].read_text().replace('{"width"', '{"width'))
    page = started.new_page()
    page.goto(broken.as_uri())
    page.wait_for_selector("#summary:has-text('This page cannot be shown')")


PAGES = [page_without_original, network_is_forbidden, says_when_it_cannot_be_shown]


def from_the_beginning(check):
    @functools.wraps(check)
    def begin_and_check(viewer):
        viewer.begin()
        check(viewer)

    return begin_and_check


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", type=needs.program)
    parser.add_argument("--only", default="", help="only checks with this text in their name")
    options = parser.parse_args()
    failed = 0

    def run(check, *arguments):
        nonlocal failed
        began = time.monotonic()
        try:
            check(*arguments)
            print(f"{check.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED: {check.__name__}\n{traceback.format_exc(limit=3)}", flush=True)

    chosen = lambda checks: [check for check in checks if options.only in check.__name__]  # noqa: E731
    with tempfile.TemporaryDirectory() as folder, browser() as started:
        files = write_pages(options.tool, pathlib.Path(folder).resolve())
        page, seen = watched_page(started, files["full"])
        viewer = Viewer(page)
        for check in chosen(CHECKS):
            run(from_the_beginning(check), viewer)
        if seen:
            failed += 1
            print("FAILED: the page is silent and loads nothing\n" + "\n".join(seen))
        for check in chosen(PAGES):
            run(check, started, files)
    print(f"{len(chosen(CHECKS + PAGES))} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Missing as missing:
        print(missing)
        sys.exit(77)
