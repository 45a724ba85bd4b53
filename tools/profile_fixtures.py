"""The part of tests/data/media/profiles that make_media_fixtures.py writes: pictures with colour profiles, and their colours in
sRGB as Little CMS converts them for Pillow."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

import avif_fixtures as avif
import bmp_fixtures
import jpeg_fixtures as jpeg
import minimal_bmp as bmp
import minimal_icc as icc
import minimal_png as png
import minimal_tiff as tiff
import tiff_fixtures
import webp_fixtures as webp
from jpeg_fixtures import HEIGHT, WIDTH, smooth_colors
from media_samples import by_pillow, random_samples

PERCEPTUAL, COLORIMETRIC = ImageCms.Intent.PERCEPTUAL, ImageCms.Intent.RELATIVE_COLORIMETRIC
WIDE = icc.matrix_profile("Wide", icc.WIDE_PRIMARIES, icc.gamma(1.8))
GREY = icc.grey_profile("Light grey", icc.gamma(1.8))
SRGB = icc.matrix_profile("By parameters", icc.SRGB_PRIMARIES, icc.srgb_parameters())
SRGB_TABLE = icc.matrix_profile("By table", icc.SRGB_PRIMARIES, icc.curve(icc.srgb_curve, 128))
GAMMA_22 = icc.matrix_profile("Almost sRGB", icc.SRGB_PRIMARIES, icc.gamma(2.2))
CMYK = icc.profile(b"CMYK", "Some press", {})
ODD_NAME = "\33[31mred\" " + 60 * "long"


def by_tables(name, perceptual, colorimetric, intent):
    return icc.profile(b"RGB ", name, {b"A2B0": perceptual, b"A2B1": colorimetric}, intent=intent)


def table(matrix, exponent):
    return icc.table(matrix, lambda value: value ** exponent, 32)


SRGB_BY_NAME = icc.matrix_profile("sRGB with a preference", icc.WIDE_PRIMARIES, icc.gamma(1.8))
SRGB_MOVED = by_tables("Perceptually moved", table(icc.WIDE_PRIMARIES, 1.5),
                       icc.table(icc.SRGB_PRIMARIES, icc.srgb_curve, 128), 0)
WIDE_PERCEPTUAL, WIDE_COLORIMETRIC = (
    by_tables(name, table(icc.WIDE_PRIMARIES, 1.5), table(icc.WIDE_PRIMARIES, 2.0), intent)
    for name, intent in (("Perceptual", 0), ("Colorimetric", 1)))


def in_srgb(content, profile, intent=PERCEPTUAL, grey=False):
    """What `content` looks like when its colors are those of the profile; alpha is left alone."""
    pixels = by_pillow(content)
    return np.dstack([colors_in_srgb(pixels, profile, intent, grey), pixels[..., 3]])


def colors_in_srgb(pixels, profile, intent=PERCEPTUAL, grey=False):
    colors = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels[..., :3]))
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(colors, source, target, renderingIntent=intent, outputMode="RGB"))


def as_png(profile, color_type=png.RGB, depth=8, packed=None, **options):
    samples = random_samples("profile", WIDTH, HEIGHT, png.CHANNELS[color_type], depth)
    content = png.encode(samples, depth, color_type, **options)
    place = len(png.SIGNATURE) + len(png.header(1, 1, 8, png.RGB))
    chunk = png.chunk(b"iCCP", b"name\0\0" + (zlib.compress(profile, 0) if packed is None else packed))
    return content[:place] + chunk + content[place:]


def markers(profile, parts, order=None):
    """Markers APP2 that hold the profile in parts, in that order."""
    step = -(-len(profile) // parts)
    pieces = [jpeg.segment(0xE2, b"ICC_PROFILE\0" + bytes([i + 1, parts]) + profile[i * step:(i + 1) * step])
              for i in range(parts)]
    return [pieces[i] for i in (range(parts) if order is None else order)]


def as_jpeg(segments, mode="RGB", **options):
    return jpeg.after_start(jpeg.encode(smooth_colors().convert(mode), **options), *segments)


def as_webp(profile, alpha=False):
    picture = webp.with_alpha(smooth_colors()) if alpha else smooth_colors()
    return webp.encode(picture, lossless=True, exact=True, icc_profile=profile)


def as_tiff(profile, count=3):
    tag = (tiff.PROFILE, tiff.UNDEFINED, profile)
    return tiff.encode([tiff_fixtures.page("profile", count, 8, tiff.RGB if count == 3 else tiff.BLACK_IS_ZERO, more=[tag])])


def converted():
    """(name with ending, content, expected pixels)"""
    palette = random_samples("profile colors", 16, 1, 3, 8)[0]
    for name, content in (
            ("wide.png", as_png(WIDE)), ("wide_alpha.png", as_png(WIDE, png.RGBA)),
            ("wide_16_bits.png", as_png(WIDE, depth=16)),
            ("wide_palette.png", as_png(WIDE, png.PALETTE, 4, palette=palette, transparency=[0, 99])),
            ("wide_on_grey.png", as_png(WIDE, png.GREY)), ("wide.jpg", as_jpeg(markers(WIDE, 1))),
            ("wide_in_parts.jpg", as_jpeg(markers(WIDE, 4, [2, 0, 3, 1]))),
            ("wide_turned.jpg", as_jpeg(markers(WIDE, 1), exif=b"Exif\0\0" + png.exif_with_orientation(6))),
            ("wide.webp", as_webp(WIDE)), ("wide_alpha.webp", as_webp(WIDE, alpha=True)),
            ("wide.bmp", bmp.encode(bmp_fixtures.samples("wide", 24), 24, header=bmp.V5, profile=WIDE)),
            ("wide.tif", as_tiff(WIDE)), ("wide.avif", avif.encode(smooth_colors(), icc_profile=WIDE))):
        yield name, content, in_srgb(content, WIDE)
    for name, content in (("grey.png", as_png(GREY, png.GREY)), ("grey_alpha.png", as_png(GREY, png.GREY_ALPHA)),
                          ("grey.jpg", as_jpeg(markers(GREY, 1), "L")), ("grey.tif", as_tiff(GREY, 1)),
                          ("grey.avif", avif.encode(smooth_colors().convert("L"), subsampling="4:0:0", icc_profile=GREY))):
        yield name, content, in_srgb(content, GREY, grey=True)
    for name, profile, intent in (("gamma_22.png", GAMMA_22, PERCEPTUAL), ("perceptual.png", WIDE_PERCEPTUAL, PERCEPTUAL),
                                  ("colorimetric.png", WIDE_COLORIMETRIC, COLORIMETRIC)):
        content = as_png(profile)
        yield name, content, in_srgb(content, profile, intent)
    long_name = icc.matrix_profile(ODD_NAME, icc.WIDE_PRIMARIES, icc.gamma(1.8))
    yield "odd_name.png", as_png(long_name), in_srgb(as_png(long_name), long_name)


def untouched():
    yield "srgb.png", as_png(SRGB)
    yield "srgb_by_table.png", as_png(SRGB_TABLE)
    yield "srgb_by_name.png", as_png(SRGB_BY_NAME)
    yield "srgb_moved.webp", as_webp(SRGB_MOVED)
    yield "srgb_on_grey.jpg", as_jpeg(markers(SRGB, 1), "L")
    yield "srgb.jpg", as_jpeg(markers(SRGB, 2))
    yield "srgb.webp", as_webp(SRGB)


def ignored():
    cut = zlib.compress(WIDE)[:-20]
    endless = zlib.compress(struct.pack(">I", (16 << 20) + 1) + bytes(100))
    yield "cmyk.png", as_png(CMYK)
    yield "cmyk_on_grey.jpg", as_jpeg(markers(CMYK, 1), "L")
    yield "grey_on_color.png", as_png(GREY)
    yield "grey_on_color.webp", as_webp(GREY)
    yield "noise.png", as_png(struct.pack(">I", 200) + bytes(range(196)))
    yield "no_tags.png", as_png(icc.profile(b"RGB ", "No tags", {}))
    yield "cut.png", as_png(b"", packed=cut)
    yield "too_large.png", as_png(b"", packed=endless)
    yield "noise.webp", as_webp(bytes(range(100)))
    yield "noise.jpg", as_jpeg(markers(bytes(range(100)), 1))
    cut_off = bmp.encode(bmp_fixtures.samples("wide", 24), 24, header=bmp.V5, profile=WIDE)
    yield "cut.bmp", cut_off[:-20]
    yield "noise.tif", as_tiff(bytes(range(100)))
    yield "missing_part.jpg", as_jpeg(markers(WIDE, 3, [0, 2]))


def files():
    lines = []
    pictures = [*converted(), *((name, content, by_pillow(content)) for name, content in [*untouched(), *ignored()])]
    for name, content, expected in pictures:
        name = name.replace(".", "_"), name
        yield f"profiles/{name[1]}", content
        yield f"profiles/{name[0]}.rgba", expected.tobytes()
        lines.append(f"{name[0]} {expected.shape[1]} {expected.shape[0]} {name[1]}")
    yield "profiles/list.txt", "\n".join(lines + [""]).encode()
