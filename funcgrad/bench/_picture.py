"""The ratios as bars, one panel for each figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from funcgrad._errors import ConfigurationError
from funcgrad.bench._figures import Figure

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas
except ImportError as error:
    raise ConfigurationError(
        f"the picture needs matplotlib, which cannot be imported ({error}); install it by "
        f'pip install "funcgrad[plot]"'
    ) from error

_PANELS = ("run", "memory", "trace", "compile", "eager")


def draw(figures: Sequence[Figure], path: Path) -> None:
    """Write the picture to a file that ends in .png or .svg.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    panels = [name for name in _PANELS if any(figure.name == name for figure in figures)]
    workloads = list(dict.fromkeys(f.workload for f in figures if f.name in panels))
    with mpl.rc_context({"svg.hashsalt": "funcgrad", "font.size": 9}):
        canvas = Canvas(figsize=(2 + 2 * len(panels), 1.2 + 0.28 * len(workloads)))
        axes = canvas.subplots(1, max(1, len(panels)), sharey=True, squeeze=False)[0]
        for axis, name in zip(axes, panels, strict=False):
            _panel(axis, name, workloads, [f for f in figures if f.name == name])
        canvas.suptitle("our gradients over jax.grad's: below 1 is less", y=1.0)
        canvas.tight_layout()
        try:
            canvas.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else {})
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the picture {path}: {error.strerror}; choose another --picture FILE"
            ) from error


def _panel(axis: Any, name: str, workloads: list[str], figures: Sequence[Figure]) -> None:
    ratios = {figure.workload: figure.ratio for figure in figures}
    for place, workload in enumerate(workloads):
        ratio = ratios.get(workload)
        if ratio is None or not math.isfinite(ratio.median):
            continue
        below, above = ratio.median - ratio.low, ratio.high - ratio.median
        color = "tab:blue" if ratio.low <= 1 else "tab:orange"
        axis.barh(place, ratio.median, xerr=[[below], [above]], color=color, height=0.7)
    axis.axvline(1.0, color="black", linewidth=0.8)
    axis.set_title(name)
    axis.set_xlim(left=0)
    axis.set_yticks(range(len(workloads)), workloads)
    axis.invert_yaxis()
