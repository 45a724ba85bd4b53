"""The part of tests/data/media/gif that make_media_fixtures.py writes: GIF pictures of every kind, and damaged ones."""

import minimal_gif as gif
from media_samples import by_pillow, cases, random_samples

WIDTH, HEIGHT = 13, 7


def samples(name, bits, width=WIDTH, height=HEIGHT):
    return random_samples(name, width, height, 1, bits)[..., 0]


def palette(name, bits):
    return random_samples(name + " colors", 1 << bits, 1, 3, 8)[0]


def kinds():
    for bits in (1, 2, 4, 8):
        name = f"palette_{bits}"
        yield name, gif.encode((WIDTH, HEIGHT), [gif.frame(samples(name, bits), bits=bits)], palette(name, bits))
    frame = samples("frame", 4)
    colors = palette("frame", 4)
    clear = int(frame[2, 3])
    yield "interlaced", gif.encode((WIDTH, HEIGHT), [gif.frame(frame, interlaced=True, bits=4)], colors)
    yield "clear", gif.encode((WIDTH, HEIGHT), [gif.frame(frame, transparent=clear, bits=4)], colors)
    yield "moved", gif.encode((20, 12), [gif.frame(frame, place=(4, 2), bits=4)], colors, background=3)
    yield "moved_clear", gif.encode((20, 12), [gif.frame(frame, place=(4, 2), transparent=clear, bits=4)], colors)
    yield "over_the_edge", gif.encode((9, 5), [gif.frame(frame, place=(2, 1), bits=4)], colors)
    yield "own_palette", gif.encode((WIDTH, HEIGHT), [gif.frame(frame, palette=palette("own", 4), bits=4)], colors)
    yield "no_palette", gif.encode((WIDTH, HEIGHT), [gif.frame(samples("grey", 8))])
    yield "short_palette", gif.encode((WIDTH, HEIGHT), [gif.frame(samples("short", 4), bits=4)], palette("short", 3))
    yield "no_end", gif.encode((WIDTH, HEIGHT), [gif.frame(frame, bits=4)], colors, end=b"")
    yield "pixel", gif.encode((1, 1), [gif.frame(samples("pixel", 1, 1, 1), bits=1)], palette("pixel", 1))


def animations():
    first, second = (gif.frame(samples(name, 4, 9, 5), place=place, transparent=2, bits=4)
                     for name, place in (("first", (1, 1)), ("second", (3, 0))))
    colors = palette("animated", 4)
    yield "animated", gif.encode((WIDTH, HEIGHT), [first, second], colors)
    loop = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0" + b"!\xfe\x05hello\0"
    yield "animated_loop", gif.encode((WIDTH, HEIGHT), [loop, first, second, second], colors)
    yield "second_cut", gif.encode((WIDTH, HEIGHT), [first, second[:-20]], colors, end=b"")


def damaged():
    whole = gif.encode((WIDTH, HEIGHT), [gif.frame(samples("damaged", 4), bits=4)], palette("damaged", 4))
    yield "cut_in_start.gif", whole[:6]
    yield "cut_in_palette.gif", whole[:30]
    yield "cut_in_pixels.gif", whole[:-20]
    yield "no_frame.gif", gif.encode((WIDTH, HEIGHT), [], palette("damaged", 4))
    yield "no_width.gif", gif.encode((0, 0), [gif.frame(samples("damaged", 4, 0, 0), bits=4)], palette("damaged", 4))
    yield "bomb.gif", gif.encode((16384, 16384), [gif.frame(samples("damaged", 4), bits=4)], palette("damaged", 4))
    yield "huge.gif", gif.encode((65535, 100), [gif.frame(samples("damaged", 4), bits=4)], palette("damaged", 4))


def files():
    for folder, pictures in (("gif", kinds()), ("gif/animated", animations())):
        yield from cases(folder, "gif", ((name, content, by_pillow(content)) for name, content in pictures))
    for name, content in damaged():
        yield f"gif/damaged/{name}", content
