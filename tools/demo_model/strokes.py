"""Letters of several scripts as pen strokes of our own, so that no font is needed.

A glyph is a list of strokes; a stroke is a run of points, each two digits: column 0-4, row 0-6, row 0 at the top. A stroke
that begins with ~ is rounded. The Chinese characters are real ones of straight strokes; the Devanagari-like marks
only look like letters of that script.
"""

from __future__ import annotations

import numpy as np

COLUMNS, ROWS = 4, 6

LATIN = {
    "A": "062046 1434", "B": "0006 ~003041423303 ~033344453606", "C": "~4130100105163645", "D": "0006 ~002042442606",
    "E": "40000646 0333", "F": "400006 0333", "G": "~4130100105163645 454323", "H": "0006 4046 0343", "I": "2026 1030 1636",
    "J": "~403526 ~26160504", "K": "0006 400346", "L": "000646", "M": "0600234046", "N": "06004640",
    "O": "~103041453616050110", "P": "0600 ~003041423303", "Q": "~103041453616050110 2446", "R": "0600 ~003041423303 2346",
    "S": "~413010010213334445361605", "T": "0040 2026", "U": "~000516364540", "V": "002640", "W": "0016233640",
    "X": "0046 4006", "Y": "002340 2326", "Z": "00400646",
}
DIGITS = {
    "1": "112026 1636", "2": "~0110304142 420646", "3": "~0110304132 ~3243443616 ~361605", "4": "36300444",
    "5": "400002 ~0232434536 ~361605", "6": "~3010010516364544331303", "7": "004016", "8": "~23120110304132 ~2334453616051423",
    "9": "~1636454130100102133343",
}
GREEK = {
    "gamma": "400006", "delta": "20460620", "theta": "~103041453616050110 1333", "lambda": "062046",
    "xi": "0040 1333 0646", "pi": "06004046", "sigma": "4000230646", "phi": "2026 ~113142443515040211",
    "psi": "2026 ~000214344240", "omega": "0616 ~160401103041 ~414436 3646",
}
CYRILLIC = {
    "be": "400006 ~063645443303", "de": "06054546 1512203035", "zhe": "2026 0046 4006", "i": "00064046",
    "el": "061511204046", "tse": "00054546 4045", "che": "~000213 1343 4046", "sha": "00064640 2026",
    "yery": "0006 ~062635242303 4046", "e": "~0110304145361605 1343", "yu": "0006 0313 ~203041453626151120",
    "ya": "4640 ~4010010213 1343 2306",
}
CHINESE = {
    "ten": "0343 2026", "wood": "0242 2026 2206 2246", "mouth": "0141460601", "sun": "1030361610 1333",
    "field": "0040460600 0343 2026", "hill": "2026 02064642", "big": "0242 202306 2346", "middle": "0141440401 2026",
    "king": "0040 0343 0646 2026", "river": "100306 2025 3046", "work": "0040 0646 2026", "earth": "1232 0646 2026",
    "person": "202306 2346", "sky": "1030 0343 202306 2346", "water": "2026 011205 412346",
}
DEVANAGARI_LIKE = {
    "d1": "0040 3036 ~3213041516", "d2": "0040 2031 ~31231346", "d3": "0040 1013 ~131403 3036", "d4": "0040 3036 ~32120415 ~153334",
    "d5": "0040 2026 ~22110314 ~2324344332", "d6": "0040 3036 ~103233 ~331405",
}

SCRIPTS: dict[str, dict[str, str]] = {
    "Latin": LATIN, "number": DIGITS, "Greek": GREEK, "Russian": CYRILLIC, "Chinese": CHINESE, "Hindi": DEVANAGARI_LIKE,
}


def strokes(description: str) -> list[np.ndarray]:
    """The strokes of a glyph, each [points, 2] (x, y) in grid units."""
    return [_stroke(run) for run in description.split()]


def _stroke(run: str) -> np.ndarray:
    rounded = run.startswith("~")
    digits = run.removeprefix("~")
    points = np.array([(int(x), int(y)) for x, y in zip(digits[::2], digits[1::2])], np.float64)
    return _cut_corners(_cut_corners(points)) if rounded else points


def _cut_corners(points: np.ndarray) -> np.ndarray:
    """One round of Chaikin's subdivision; a closed stroke stays closed, an open one keeps its ends."""
    closed = np.array_equal(points[0], points[-1])
    left, right = 0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]
    inner = np.stack([left, right], axis=1).reshape(-1, 2)
    if closed:
        return np.concatenate([inner, inner[:1]])
    return np.concatenate([points[:1], inner[1:-1], points[-1:]])
