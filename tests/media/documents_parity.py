"""Looks at the documents that layerpipe writes, and lets it read some, through other programs' eyes: zipfile, Pillow, python-pptx.

    python3 tests/media/documents_parity.py BUILD/tests/media_tool [--cases N] [--seed N]

Exit code 1 and a line for each failed check. Needs Pillow, numpy and python-pptx.
"""

import argparse
import io
import itertools
import pathlib
import sys
import tempfile
import traceback
import zipfile
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "PIL", "pptx")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from pptx import Presentation  # noqa: E402

from document_samples import NAMES, Tool, composite, noise, peak_mib_of, random_box, same_picture  # noqa: E402

EMU_PER_PIXEL = 9525
EPOCH = (1980, 1, 1, 0, 0, 0)


def picture_of(archive, name):
    with Image.open(io.BytesIO(archive.read(name))) as picture:
        assert picture.mode == "RGBA", picture.mode
        return np.asarray(picture)


def check_archive(path, deflated):
    """What holds for every archive; the open archive."""
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    names = archive.namelist()
    assert len(set(names)) == len(names)
    for entry in archive.infolist():
        assert entry.date_time == EPOCH and entry.extra == b"" and entry.comment == b"", entry
        assert entry.external_attr >> 16 == 0o100644 and entry.create_system == 3, entry
        assert entry.compress_type == (zipfile.ZIP_DEFLATED if deflated(entry.filename) else zipfile.ZIP_STORED), entry
        assert not entry.flag_bits & 0x08, "sizes stand behind the content, which some readers refuse"
    assert archive.comment == b""
    return archive


def random_layers(rng):
    """Pairs of a name and pixels: one that fills the picture, some with little content, an empty one."""
    width, height = (int(side) for side in rng.integers(100, 400, 2))
    layers = [("back", noise(rng, width, height))]
    for i in range(int(rng.integers(1, 5))):
        layers.append((f"layer {i}", noise(rng, width, height, random_box(rng, width, height))))
    layers.append(("empty", np.zeros((height, width, 4), np.uint8)))
    return layers


def ora_case(rng, tool):
    layers = random_layers(rng)
    path = tool.write("ora", layers)
    content = path.read_bytes()
    assert content[30:38] == b"mimetype" and content[38:54] == b"image/openraster"
    archive = check_archive(path, lambda name: name == "stack.xml")
    height, width = layers[0][1].shape[:2]
    image = ElementTree.fromstring(archive.read("stack.xml"))
    assert image.tag == "image" and (image.get("w"), image.get("h")) == (str(width), str(height)) and image.get("version")
    (stack,) = image
    assert stack.tag == "stack" and not stack.attrib
    assert {"mimetype", "stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png"} | {
        element.get("src") for element in stack} == set(archive.namelist())
    assert len(stack) == len(layers)
    for element, (name, pixels) in zip(reversed(stack), layers):
        assert element.tag == "layer" and element.get("name") == name
        assert (float(element.get("opacity")), element.get("visibility"), element.get("composite-op")) == (1, "visible", "svg:src-over")
        part = picture_of(archive, element.get("src"))
        canvas = np.zeros_like(pixels)
        x, y = int(element.get("x")), int(element.get("y"))
        canvas[y:y + part.shape[0], x:x + part.shape[1]] = part
        assert np.array_equal(canvas, pixels), name
        content_box = Image.fromarray(pixels[..., 3]).getbbox() or (0, 0, 1, 1)
        assert (x, y, x + part.shape[1], y + part.shape[0]) == content_box
    merged = picture_of(archive, "mergedimage.png")
    assert np.abs(merged.astype(int) - composite([pixels for _, pixels in layers])).max() <= 1
    thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
    assert max(thumbnail.size) == min(256, max(width, height))
    assert abs(thumbnail.width / thumbnail.height - width / height) < 0.02
    check_read_back(tool, path, layers)


def check_read_back(tool, path, layers):
    folder = tool.folder / "layers"
    folder.mkdir(exist_ok=True)
    size, *names = tool.run("read-ora", path, folder).splitlines()
    assert size == f"{layers[0][1].shape[1]} {layers[0][1].shape[0]}", size
    assert names == [name for name, _ in layers], names
    for i, (name, pixels) in enumerate(layers):
        with Image.open(folder / f"{i}.png") as picture:
            assert same_picture(np.asarray(picture), pixels), name


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def foreign_ora_case(rng, tool):
    """A document as other programs write them: groups, opacity, hidden layers, layers that reach over the edge, 16 bits."""
    width, height = 60, 50
    large, small = noise(rng, 90, 70), noise(rng, 20, 10)
    grey = rng.integers(0, 65536, (height, width), np.uint16)
    stack = f"""<?xml version='1.0' encoding='UTF-8'?>
<image version="0.0.5" w="{width}" h="{height}" xres="600" yres="600" xmlns:mypaint="http://mypaint.org/ns/openraster">
 <stack opacity="1" composite-op="svg:src-over">
  <!-- the first is the uppermost -->
  <layer name="hidden" src="data/missing.png" visibility="hidden" composite-op="svg:color-dodge"/>
  <stack name="group" x="-10" y="5" opacity="0.5" isolation="isolate" selected="true">
   <layer name="small" src="data/small.png" x="0" y="-10" opacity="0.6" edit-locked="true" mypaint:strokemap="data/strokes.dat"/>
   <layer name="hidden too" src="data/missing.png" visibility="hidden"/>
  </stack>
  <stack x="-10" y="5"><stack><layer name="large" src="data/large.png" x="-5" y="-6" opacity="0.5"/></stack></stack>
  <layer name="grey" src="data/grey.png"/>
 </stack>
</image>"""
    path = tool.folder / "foreign.ora"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "image/openraster")
        archive.writestr("stack.xml", stack, zipfile.ZIP_DEFLATED)
        archive.writestr("data/large.png", png(large), zipfile.ZIP_DEFLATED)
        archive.writestr("data/small.png", png(small))
        archive.writestr("data/grey.png", png(grey))
        archive.writestr("data/strokes.dat", b"private")
        archive.writestr("mergedimage.png", b"not looked at")

    def placed(pixels, x, y, opacity):
        canvas = Image.new("RGBA", (width, height))
        canvas.paste(Image.fromarray(pixels), (x, y))
        result = np.array(canvas)
        result[..., 3] = np.floor(result[..., 3] * opacity + 0.5)
        return result

    grey_rgba = np.dstack([grey >> 8] * 3 + [np.full_like(grey, 255)]).astype(np.uint8)
    check_read_back(tool, path, [("grey", grey_rgba), ("large", placed(large, -15, -1, 0.5)), ("small", placed(small, -10, -5, 0.3))])


def check_slide(path, layers, names):
    """That python-pptx sees `layers` under `names`, where they belong."""
    presentation = Presentation(path)
    height, width = layers[0][1].shape[:2]
    assert (presentation.slide_width, presentation.slide_height) == (width * EMU_PER_PIXEL, height * EMU_PER_PIXEL)
    (slide,) = presentation.slides
    shapes = list(slide.shapes)
    assert [shape.name for shape in shapes] == names, [shape.name for shape in shapes]
    assert len({shape.shape_id for shape in shapes}) == len(shapes)
    for i, (shape, (_, pixels)) in enumerate(zip(shapes, layers)):
        left, top, right, bottom = Image.fromarray(pixels[..., 3]).getbbox() or (0, 0, 1, 1)
        expected = [edge * EMU_PER_PIXEL for edge in (left, top, right - left, bottom - top)]
        assert [shape.left, shape.top, shape.width, shape.height] == expected, shape.name
        assert (shape.crop_left, shape.crop_top, shape.crop_right, shape.crop_bottom) == (0, 0, 0, 0)
        with Image.open(io.BytesIO(shape.image.blob)) as picture:
            assert same_picture(np.asarray(picture), pixels[top:bottom, left:right]), shape.name
        described = shape._element.nvPicPr.cNvPr.get("descr")
        assert described == f"{names[i]}: layer {i + 1} of {len(layers)} from the back of a hill", described
    return presentation


def pptx_case(rng, tool):
    layers = random_layers(rng)
    path = tool.write("pptx", layers)
    check_archive(path, lambda name: not name.endswith(".png"))
    presentation = check_slide(path, layers, [name for name, _ in layers])
    about = presentation.core_properties
    assert (about.title, about.author, about.comments) == ("a hill", "layerpipe test", "Seed: 777")
    assert about.created.timetuple()[:6] == EPOCH and about.modified == about.created
    saved = tool.folder / "saved.pptx"
    presentation.save(saved)
    check_slide(saved, layers, [name for name, _ in layers])


def names_case(rng, tool):
    layers = [(given, noise(rng, 100, 100, random_box(rng, 100, 100))) for given, _ in NAMES]
    expected = [name for _, name in NAMES]
    path = tool.write("ora", layers)
    stack = ElementTree.fromstring(zipfile.ZipFile(path).read("stack.xml"))[0]
    assert [element.get("name") for element in reversed(stack)] == expected
    check_read_back(tool, path, [(name, pixels) for name, (_, pixels) in zip(expected, layers)])
    path = tool.write("pptx", layers)
    check_slide(path, layers, [name or f"Layer {i + 1}" for i, name in enumerate(expected)])


GROUPS = [("house", 1, 4), ("door", 2, 3), ("front", 4, 5)]  # of five layers; the second lies in the first


def grouped_layers(rng):
    return [(name, noise(rng, 120, 110, random_box(rng, 120, 110))) for name in ("sky", "wall", "handle", "roof", "sun")]


def tree_of(stack):
    """Names from the back, those of a group behind its own."""
    return [(e.get("name"), tree_of(e)) if e.tag == "stack" else e.get("name") for e in reversed(stack)]


def groups_case(rng, tool):
    layers = grouped_layers(rng)
    path = tool.write("ora", layers, groups=GROUPS)
    tree = ["sky", ("house", ["wall", ("door", ["handle"]), "roof"]), ("front", ["sun"])]
    assert tree_of(ElementTree.fromstring(zipfile.ZipFile(path).read("stack.xml"))[0]) == tree
    check_read_back(tool, path, layers)
    presentation = Presentation(tool.write("pptx", layers, groups=GROUPS))

    def tree_of_shapes(shapes):
        return [(s.name, tree_of_shapes(s.shapes)) if hasattr(s, "shapes") else s.name for s in shapes]

    shapes = presentation.slides[0].shapes
    assert tree_of_shapes(shapes) == tree, tree_of_shapes(shapes)
    ids, boxes = [], {}

    def walk(shapes):
        for shape in shapes:
            ids.append(shape.shape_id)
            boxes[shape.name] = (shape.left, shape.top, shape.left + shape.width, shape.top + shape.height)
            if hasattr(shape, "shapes"):
                walk(shape.shapes)
                place = shape._element.grpSpPr.find(".//{*}xfrm")
                off, ext, ch_off, ch_ext = place
                assert (off.attrib, ext.attrib) == (ch_off.attrib, ch_ext.attrib), "a group that scales"

    walk(shapes)
    assert len(set(ids)) == len(ids)
    for name, pixels in layers:
        expected = tuple(edge * EMU_PER_PIXEL for edge in Image.fromarray(pixels[..., 3]).getbbox())
        assert boxes[name] == expected, name
    inside = [boxes[name] for name in ("wall", "handle", "roof")]
    assert boxes["house"] == tuple(f(box[i] for box in inside) for i, f in enumerate((min, min, max, max)))


def same_bytes_case(rng, tool):
    layers = random_layers(rng)
    for kind in ("ora", "pptx"):
        contents = {tool.write(kind, layers, name=name).read_bytes() for name in ("one", "two")}
        assert len(contents) == 1, kind


def memory_case(rng, tool):
    """What a document takes does not grow with its layers."""
    pixels = [noise(rng, 1000, 1000) for _ in range(3)]
    for kind in ("ora", "pptx"):
        peaks = []
        for count in (3, 12):
            layers = [(str(i), pixels[i % 3]) for i in range(count)]
            out = tool.write(kind, layers)
            words = itertools.chain.from_iterable(("layer", name, tool.folder / f"document-{name}.png") for name, _ in layers)
            peaks.append(peak_mib_of(tool.program, kind, out, *words))
        assert peaks[1] < peaks[0] + 8, (kind, peaks)


def scaled_apart(pixels, size):
    """Colours and alpha each for itself, as many programs do it."""
    return np.dstack([np.asarray(Image.fromarray(pixels[..., c]).resize(size, Image.Resampling.BILINEAR)) for c in range(4)])


def on_white(pixels):
    alpha = pixels[..., 3:] / 255
    return alpha * pixels[..., :3] + (1 - alpha) * 255


def bleed_case(rng, tool):
    """A light disc, scaled: its rim must not become darker than the disc. Without bleeding it does."""
    y, x = np.mgrid[0:200, 0:200]
    pixels = np.zeros((200, 200, 4), np.uint8)
    pixels[(x - 90) ** 2 + (y - 110) ** 2 < 70 ** 2] = (230, 220, 210, 255)
    Image.fromarray(pixels).save(tool.folder / "disc.png")
    tool.run("bleed", tool.folder / "disc.png", tool.folder / "bled.png")
    bled = np.asarray(Image.open(tool.folder / "bled.png"))
    assert same_picture(bled, pixels)
    for size in ((77, 77), (431, 431)):
        darkest = [on_white(scaled_apart(picture, size)).min(axis=(0, 1)) for picture in (bled, pixels)]
        assert np.all(darkest[0] >= (230, 220, 210)), darkest[0]
        assert np.all(darkest[1] < (200, 190, 180)), ("the control has no rim", darkest[1])


CASES = [ora_case, foreign_ora_case, pptx_case, names_case, groups_case, same_bytes_case, memory_case, bleed_case]
ONCE = {names_case, memory_case, bleed_case}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", type=needs.program)
    parser.add_argument("--cases", type=int, default=3, help="of each kind that has random ones (3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-documents", action="store_true", help="the tool was built without libzip and pugixml")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    failed = run = 0
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(options.tool, folder)
        for case in [bleed_case] if options.no_documents else CASES:
            for _ in range(1 if case in ONCE else options.cases):
                run += 1
                try:
                    case(rng, tool)
                except Exception:  # everything that another program says against a document is a failure of it
                    failed += 1
                    print(f"failed: {case.__name__}\n{traceback.format_exc()}")
    print(f"{run} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
