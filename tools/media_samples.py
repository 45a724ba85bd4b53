"""What the makers of the fixtures in tests/data/media share. Needs Pillow 13 and numpy."""

import io
import random

import numpy as np
from PIL import Image, ImageOps


def random_samples(seed, width, height, channels, depth):
    # random.Random gives the same numbers in every version; numpy's generators do not promise it.
    source = random.Random(seed)
    numbers = [source.getrandbits(depth) for _ in range(width * height * channels)]
    return np.array(numbers, np.int64).reshape(height, width, channels)


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))


def cases(folder, ending, pictures):
    """The files of a folder with pictures, (name, content, expected pixels), and its list.txt."""
    lines = []
    for name, content, expected in pictures:
        yield f"{folder}/{name}.{ending}", content
        yield f"{folder}/{name}.rgba", np.ascontiguousarray(expected).tobytes()
        lines.append(f"{name} {expected.shape[1]} {expected.shape[0]}")
    yield f"{folder}/list.txt", "\n".join(lines + [""]).encode()
