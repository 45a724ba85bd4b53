#!/usr/bin/env bash
# psd-tools 1.26.0 (PyPI): in a new document without transparency, PSDImage.new("RGB", ...), create_pixel_layer() stores the alpha of an
# RGBA picture as a layer mask and writes a transparency channel of 255 everywhere. In a document made with "RGBA" the same call stores
# it as the layer's transparency. topil(), which leaves masks out, gives an opaque layer in the first case.
#
# Seen: RGB: has_mask True, alpha of topil() 255 255 255 255 255 255; RGBA: has_mask False, alpha 0 50 100 150 200 250.
# What layerpipe does about it: a document with masks is refused by name, with what to do in the program that it comes from
# (media/psd_layers.cpp; docs/decisions.md, "What of a Photoshop document is read?").
#
#   findings/psd_tools_alpha_becomes_a_mask.sh
#
# Installs psd-tools into a temporary folder. Exits with 1 when the behaviour has changed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check psd-tools==1.26.0 pillow==13.0.0 numpy

"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
import psd_tools
from PIL import Image
from psd_tools import PSDImage

alpha = np.tile(np.arange(6, dtype=np.uint8) * 50, (4, 1))
picture = Image.fromarray(np.dstack([np.full((4, 6, 3), 90, np.uint8), alpha]))


def read_back(mode):
    """Whether the layer has a mask, and the first row of its alpha without it."""
    document = PSDImage.new(mode, picture.size)
    document.create_pixel_layer(picture, name="a")
    content = io.BytesIO()
    document.save(content)
    content.seek(0)
    layer = PSDImage.open(content)[0]
    return layer.has_mask(), np.asarray(layer.topil().convert("RGBA"))[0, :, 3].tolist()


seen = {mode: read_back(mode) for mode in ("RGB", "RGBA")}
print(f"psd-tools {psd_tools.__version__}: {seen}")
sys.exit(seen != {"RGB": (True, [255] * 6), "RGBA": (False, [0, 50, 100, 150, 200, 250])})
PYTHON
