from io import BytesIO

import numpy as np
from matplotlib.image import imread

from trainer.evaluation.report.parts import Plot
from trainer.evaluation.report.plots.curves import CurveGroup, CurvePanel, RunCurve, draw_curves
from trainer.evaluation.report.plots.png import png

CURVES = [RunCurve(run, np.arange(1, 4), np.array([run, run + 1.0, run])) for run in range(2)]
PLOT = Plot(
    "m", "", "", lambda width: draw_curves(["a", "検索"], [CurveGroup("G", [CurvePanel("reward", CURVES)])], width)
)


def test_a_png_has_the_colours_of_a_file_on_white_paper() -> None:
    image = (255 * imread(BytesIO(png(PLOT, 600)))[:, :, :3]).round().astype(int)
    found = {tuple(colour) for colour in np.unique(image.reshape(-1, 3), axis=0)}
    # Paper, ink, rules, and the first two runs.
    assert {(255, 255, 255), (0x1B, 0x1D, 0x22), (0xE4, 0xE6, 0xEA), (0x24, 0x58, 0xC5), (0xD9, 0x77, 0x06)} <= found
    assert tuple(image[0, 0]) == (255, 255, 255)


def test_it_has_two_dots_per_pixel() -> None:
    wide, narrow = (imread(BytesIO(png(PLOT, width))).shape[1] for width in (800, 600))
    # One panel is no wider than 385 pixels, and so is the drawing, without its empty right.
    assert narrow == wide
    assert 600 < wide < 900


def test_the_same_plot_gives_the_same_bytes() -> None:
    assert png(PLOT, 600) == png(PLOT, 600)
