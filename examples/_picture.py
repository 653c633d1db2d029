"""What the examples share: the option --out, and a picture saved as a PNG file.

A script finds this module because it lies beside it. A type checker that starts elsewhere does not,
which is why each script switches off `import-not-found`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

try:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
except ImportError:  # pictures are optional, the numbers are not
    HAVE_MATPLOTLIB = False
    Figure = None  # type: ignore[assignment, misc]  # the scripts name it in annotations only
else:
    HAVE_MATPLOTLIB = True

# Okabe and Ito's colours, which stay apart for colour-blind readers and in print.
BLUE, GREEN, RED, GREY = "#0072B2", "#009E73", "#D55E00", "#6E6E6E"

STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


def out_folder(description: str | None) -> Path:
    """The folder that the command line names by --out; it is made if it does not exist."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
    out: Path = parser.parse_args().out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {out} is not a folder and cannot be made one: {error.strerror}")
    return out


def save_picture(path: Path, size: tuple[float, float], draw: Callable[[Figure], None]) -> None:
    """Let `draw` fill a figure of `size` inches and write it to `path`."""
    if not HAVE_MATPLOTLIB:
        print('no picture: matplotlib is missing; install it by pip install "funcgrad[plot]"')
        return
    with rc_context(STYLE):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(wspace=0.06, hspace=0.06))
        FigureCanvasAgg(figure)
        draw(figure)
        try:
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise SystemExit(
                f"cannot write {path}: {error.strerror}; name a folder by --out"
            ) from None
    print(f"picture: {path}")
