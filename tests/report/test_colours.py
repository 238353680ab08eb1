"""The style's colours of labels: told apart by people who see two colours, and readable."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest

from asmr_classify.labels import CONTEXTS, TRIGGERS
from asmr_classify.report.data import OWN_COLOURS

STYLE = (files("asmr_classify.report") / "assets" / "common.css").read_text()
PAIRS = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", STYLE)
THEMES = {
    "light": {name: light for name, light, _ in PAIRS},
    "dark": {name: dark for name, _, dark in PAIRS},
}
KNOWN = [label.replace("_", "-") for label in (*TRIGGERS, *CONTEXTS)]
OWN = [f"own-{k + 1}" for k in range(OWN_COLOURS)]

# Machado, Oliveira and Fernandes (2009), A physiologically-based model for simulation of color
# vision deficiency, IEEE TVCG 15(6); severity 1, on linear RGB.
SIGHTS = {
    "all colours": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
RGB_TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
WHITE = [0.9505, 1.0, 1.089]


def linear(colour):
    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    t = np.array(RGB_TO_XYZ) @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other):
    """By WCAG 2.2."""
    low, high = sorted(linear(colour) @ RGB_TO_XYZ[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", SIGHTS)
def test_labels_keep_their_distance(theme, sight):
    """Some nine times the least that is seen (2.3, Mahy et al. 1994), in CIELAB."""
    seen = {x: lab(np.array(SIGHTS[sight]) @ linear(THEMES[theme][x])) for x in KNOWN}
    for one, other in combinations(KNOWN, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 20, (one, other)


@pytest.mark.parametrize("theme", THEMES)
def test_text_and_marks_are_readable(theme):
    colours = THEMES[theme]
    for label in KNOWN + OWN:
        assert contrast(colours["on-label"], colours[label]) >= 4.5, label
        assert contrast(colours["surface"], colours[label]) >= 3, label
    for ground in ("ground", "surface", "raised"):
        for text in ("text", "soft", "accent", "bad"):
            assert contrast(colours[ground], colours[text]) >= 4.5, (ground, text)
        assert contrast(colours[ground], colours["edge"]) >= 3, ground
    assert contrast(colours["accent"], colours["on-accent"]) >= 4.5


def test_every_label_has_a_class():
    for name in (*KNOWN, "silence", *OWN):
        assert f".colour-{name} {{ --label: var(--{name}); }}" in STYLE
