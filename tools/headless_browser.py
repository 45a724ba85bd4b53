"""Opens pages from disk in the chromium of the system, through playwright; nothing is downloaded.

For the test of the viewer's page (tests/media/viewer_browser.py) and for its pictures (tools/make_viewer_pictures.py).
"""

import contextlib
import pathlib
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Runs as root and in containers with a small /dev/shm, with text drawn alike everywhere.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none"]


class Missing(Exception):
    """What the machine lacks, in words."""


@contextlib.contextmanager
def browser():
    """A browser of playwright's sync API. Throws Missing when there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Missing("The Python package playwright is missing; launch/setup.sh --reference installs it.") from None
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise Missing("There is no chromium on the PATH; launch/setup.sh --reference installs it.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield started
        finally:
            started.close()


def open_page(context, file):
    """A page of `context` which shows `file`, once all its layers are there."""
    page = context.new_page()
    page.goto(pathlib.Path(file).resolve().as_uri())
    page.wait_for_selector("html[data-ready]", timeout=30_000)
    return page
