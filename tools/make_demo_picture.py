"""Draws demo/pictures/poster.png, a picture to try the program on.

    python3 tools/make_demo_picture.py [FILE]

Needs Pillow 13 with FreeType and numpy. The same versions draw the same picture.
"""

import math
import pathlib
import random
import sys

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 640, 448
HORIZON = 292
SCALE = 3  # shapes are drawn larger and made smaller, which smooths their edges
DEFAULT_FILE = pathlib.Path(__file__).resolve().parent.parent / "demo" / "pictures" / "poster.png"


def vertical_blend(stops, height):
    """Columns of color: stops are (row, (r, g, b)), blended in between."""
    rows = [row for row, _ in stops]
    channels = [np.interp(np.arange(height), rows, [color[c] for _, color in stops]) for c in range(3)]
    column = np.stack(channels, axis=1)[:, None]
    # A dither of half a step hides the bands of a smooth blend; it repeats, so that the file stays small.
    dither = (np.arange(WIDTH)[None, :, None] * 5 + np.arange(height)[:, None, None] * 3) % 8 / 8 - 0.5
    return Image.fromarray(np.clip(column + dither + 0.5, 0, 255).astype(np.uint8))


def shape_mask(draw_shapes):
    """A smooth mask of the whole picture; draw_shapes(draw, s) draws in white with coordinates times s."""
    mask = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE), 0)
    draw_shapes(ImageDraw.Draw(mask), SCALE)
    return mask.resize((WIDTH, HEIGHT), Image.LANCZOS)


def paint(picture, color, draw_shapes, opacity=1.0, blur=0):
    mask = shape_mask(draw_shapes)
    if blur:
        mask = mask.filter(ImageFilter.GaussianBlur(blur))
    if opacity < 1:
        mask = mask.point(lambda value: int(value * opacity))
    picture.paste(color, (0, 0, WIDTH, HEIGHT), mask)


def polygon(*points):
    return lambda draw, s: draw.polygon([(x * s, y * s) for x, y in points], fill=255)


def ellipse(x, y, radius_x, radius_y=None):
    radius_y = radius_y or radius_x
    box = (x - radius_x, y - radius_y, x + radius_x, y + radius_y)
    return lambda draw, s: draw.ellipse([v * s for v in box], fill=255)


def ridge(base, waves):
    """Points of a line of hills from left to right, and then round below it."""
    line = [(x, base - sum(height * math.sin(x / length + shift) for height, length, shift in waves))
            for x in range(-4, WIDTH + 8, 4)]
    return line + [(WIDTH + 8, HEIGHT), (-8, HEIGHT)]


def draw_sky(picture):
    stops = [(0, (32, 54, 105)), (90, (96, 92, 142)), (180, (222, 130, 118)), (250, (252, 184, 122)), (HORIZON, (255, 219, 160))]
    picture.paste(vertical_blend(stops, HORIZON + 8), (0, 0))
    for radius, opacity in ((150, 0.10), (105, 0.14), (72, 0.22)):
        paint(picture, (255, 236, 180), ellipse(438, 214, radius), opacity, blur=18)
    paint(picture, (255, 244, 214), ellipse(438, 214, 44))
    for x, y, width in ((88, 176, 86), (154, 188, 66), (548, 128, 74), (600, 138, 56), (300, 236, 60)):
        paint(picture, (255, 226, 206), ellipse(x, y, width, 6), 0.55, blur=3)


def draw_hills(picture):
    paint(picture, (174, 116, 134), polygon(*ridge(262, ((16, 74, 0.4), (7, 31, 2.0)))))
    paint(picture, (122, 88, 122), polygon(*ridge(279, ((13, 58, 2.6), (5, 23, 0.7)))))


def draw_sea(picture):
    stops = [(0, (244, 190, 150)), (22, (176, 132, 148)), (70, (74, 92, 138)), (HEIGHT - HORIZON, (24, 46, 92))]
    picture.paste(vertical_blend(stops, HEIGHT - HORIZON), (0, HORIZON))
    source = random.Random(7)
    for _ in range(74):  # the sun's path on the water
        y = HORIZON + 3 + 120 * source.random() ** 1.6
        spread = 16 + (y - HORIZON) * 0.45
        x = 438 + source.uniform(-spread, spread)
        length = source.uniform(8, 26)
        paint(picture, (255, 226, 170), ellipse(x, y, length, 1.1), 0.75)
    for _ in range(60):
        x, y = source.uniform(0, WIDTH), source.uniform(HORIZON + 24, HEIGHT - 24)
        paint(picture, (150, 168, 204), ellipse(x, y, source.uniform(10, 30), 0.9), 0.35)


def draw_boat(picture):
    paint(picture, (14, 26, 60), ellipse(226, 373, 96, 9), 0.55, blur=5)  # its shadow on the water
    paint(picture, (235, 214, 196), polygon((222, 374), (262, 374), (236, 432)), 0.18, blur=4)
    paint(picture, (70, 44, 40), polygon((221, 152), (225, 152), (226, 352), (220, 352)))  # mast
    paint(picture, (250, 242, 226), polygon((228, 160), (229, 338), (306, 338), (280, 262)))  # main sail
    paint(picture, (226, 206, 190), polygon((228, 160), (229, 338), (250, 338), (240, 250)))  # its shaded side
    paint(picture, (206, 66, 58), polygon((217, 176), (217, 336), (150, 336), (178, 270)))  # jib
    paint(picture, (176, 48, 50), polygon((217, 176), (217, 336), (196, 336), (205, 258)))
    paint(picture, (206, 66, 58), polygon((225, 150), (252, 157), (225, 164)))  # pennant
    paint(picture, (112, 62, 44), polygon((134, 348), (320, 348), (290, 376), (164, 376)))  # hull
    paint(picture, (246, 232, 208), polygon((134, 346), (322, 346), (318, 352), (138, 352)))
    paint(picture, (78, 40, 34), polygon((151, 364), (303, 364), (290, 376), (164, 376)))
    for x in (196, 226, 256):
        paint(picture, (250, 214, 140), ellipse(x, 358, 3.6))


def draw_shore(picture):
    paint(picture, (18, 34, 46), polygon(*ridge(424, ((9, 84, 4.0), (4, 27, 1.0)))))
    source = random.Random(3)
    for _ in range(70):  # grass
        x = source.uniform(430, WIDTH)
        base = 428 - (x - 430) * 0.02
        top = base - source.uniform(14, 44)
        lean = source.uniform(-10, 10)
        paint(picture, (18, 34, 46), polygon((x - 1.6, base + 8), (x + 1.6, base + 8), (x + lean, top)))


def draw_gulls(picture):
    for x, y, size in ((344, 146, 11), (376, 130, 8), (326, 124, 7)):
        for side in (-1, 1):
            wing = ((x, y + size * 0.3), (x + side * size * 0.6, y - size * 0.35), (x + side * size * 1.5, y),
                    (x + side * size * 0.6, y - size * 0.15))
            paint(picture, (48, 44, 78), polygon(*wing))


def text_mask(text, size, place, spacing=0):
    """A mask of `text` whose capitals begin at `place`, letters set apart by `spacing` pixels."""
    font = ImageFont.load_default(size * SCALE)

    def draw_letters(draw, s):
        x = place[0] * s
        for letter in text:
            draw.text((x, place[1] * s), letter, font=font, fill=255)
            x += font.getlength(letter) + spacing * s

    return shape_mask(draw_letters)


def draw_title(picture):
    title = text_mask("HARBOUR LIGHT", 52, (38, 26), spacing=3)
    shadow = ImageChops.offset(title, 3, 4).filter(ImageFilter.GaussianBlur(3)).point(lambda value: int(value * 0.6))
    picture.paste((14, 20, 52), (0, 0, WIDTH, HEIGHT), shadow)
    picture.paste((255, 244, 222), (0, 0, WIDTH, HEIGHT), title)
    picture.paste((255, 214, 160), (0, 0, WIDTH, HEIGHT), text_mask("SUMMER REGATTA", 17, (41, 88), spacing=5.5))


def draw_badge(picture):
    center, radius = (558, 348), 50
    paint(picture, (10, 18, 44), ellipse(center[0] + 3, center[1] + 5, radius), 0.45, blur=6)
    paint(picture, (20, 120, 128), ellipse(*center, radius), 0.72)  # what lies behind stays visible

    def ring(draw, s):
        box = [(center[0] - 43) * s, (center[1] - 43) * s, (center[0] + 43) * s, (center[1] + 43) * s]
        draw.ellipse(box, outline=255, width=2 * s)

    paint(picture, (232, 250, 244), ring, 0.9)
    for text, size, y in (("JULY", 15, 319), ("24", 34, 331), ("NOON", 11, 369)):
        spacing = 2
        font = ImageFont.load_default(size * SCALE)
        width = sum(font.getlength(letter) for letter in text) / SCALE + spacing * (len(text) - 1)
        picture.paste((240, 252, 246), (0, 0, WIDTH, HEIGHT), text_mask(text, size, (center[0] - width / 2, y), spacing))


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    for draw_part in (draw_sky, draw_hills, draw_sea, draw_gulls, draw_boat, draw_shore, draw_badge, draw_title):
        draw_part(picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
    print(f"{path.name}: {WIDTH} x {HEIGHT}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
