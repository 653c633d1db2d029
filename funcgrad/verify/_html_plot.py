"""The error of a difference quotient against its step, as inline SVG on logarithmic axes.

Where a derivative is right, the error falls with the step until rounding takes over, and the valley
lies under the bound. Where it is wrong, the curve stays at the height of the fault.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._text import along

if TYPE_CHECKING:
    from ._findings import Finding

Floats = NDArray[np.float64]

_WIDTH, _HEIGHT = 480, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 20, 12, 44
_TICKS = 6


class Curve(NamedTuple):
    """One row of points: its CSS class, its words, the steps and the errors."""

    style: str
    words: str
    steps: Floats
    errors: Floats


class Scale(NamedTuple):
    """The decades that an axis shows, and the pixels between which it does."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a positive value, within the axis."""
        return self.of(float(np.log10(value)) if value > 0 else self.low)

    def of(self, decade: float) -> float:
        """The pixel of a power of ten."""
        decade = float(np.clip(decade, self.low, self.high))
        return self.start + (decade - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[int]:
        """A few whole decades."""
        stride = max(1, int(np.ceil((self.high - self.low) / _TICKS)))
        return list(range(int(self.low), int(self.high) + 1, stride))


def plot(finding: Finding) -> str:
    """The plot with its legend; empty where there is no ladder of steps, or nothing to compare."""
    curves = _curves(finding)
    if not curves:
        return ""
    bound = finding.bound if finding.bound is not None and 0 < finding.bound < np.inf else None
    x, y = _scales(curves, bound)
    parts = [_axes(x, y), *(_points(curve, x, y) for curve in curves)]
    if bound is not None:
        level = y.at(bound)
        parts.append(f'<path class="bound" d="M{x.start},{level:.1f}H{x.end}"/>')
    alternative = escape(description(curves, bound), quote=True)
    drawing = (
        f'<svg role="img" aria-label="{alternative}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f"{''.join(parts)}</svg>"
    )
    return f"<figure>{drawing}<figcaption>{_legend(curves, bound)}</figcaption></figure>"


def description(curves: list[Curve], bound: float | None) -> str:
    """The plot in words."""
    words = [
        f"{curve.words}: least {_least(curve)}"
        for curve in curves
    ]  # fmt: skip
    known = [] if bound is None else [f"bound {bound:.2g}"]
    return f"Error of the difference quotient against the step. {'; '.join([*words, *known])}."


def _least(curve: Curve) -> str:
    at = int(np.argmin(curve.errors))
    return f"{curve.errors[at]:.2g} at step {curve.steps[at]:.2g}"


def _curves(finding: Finding) -> list[Curve]:
    estimate = finding.estimate
    if estimate is None:
        return []
    received, expected = along(finding)
    pairs = [
        ("expected", "quotient - expected", expected),
        ("received", "quotient - received", received),
    ]
    steps, central = np.asarray(estimate.steps), np.asarray(estimate.central)
    curves = []
    for style, words, value in pairs:
        with np.errstate(all="ignore"):
            errors = np.abs(central - (np.nan if value is None else value))
        known = np.isfinite(errors) & (steps > 0)
        if known.any():
            curves.append(Curve(style, words, steps[known], errors[known]))
    return curves


def _scales(curves: list[Curve], bound: float | None) -> tuple[Scale, Scale]:
    steps = np.concatenate([curve.steps for curve in curves])
    errors = np.concatenate([*(curve.errors for curve in curves), [bound or 0.0]])
    shown = errors[errors > 0]
    # An error of exactly zero has no logarithm: it stands on the floor of the plot.
    shown = shown if shown.size else np.asarray([1.0])
    low, high = _decades(shown)
    x = Scale(*_decades(steps), _LEFT, _WIDTH - _RIGHT)
    return x, Scale(low - bool((errors[:-1] == 0).any()), high, _HEIGHT - _BOTTOM, _TOP)


def _decades(values: Floats) -> tuple[float, float]:
    low, high = np.floor(np.log10(np.min(values))), np.ceil(np.log10(np.max(values)))
    return float(low), float(max(high, low + 1))


def _axes(x: Scale, y: Scale) -> str:
    parts = [f'<path class="frame" d="M{_LEFT},{_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>']
    for decade in y.ticks():
        level = y.of(decade)
        parts.append(f'<path class="grid" d="M{_LEFT},{level:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{level + 4:.1f}" class="end">1e{decade}</text>')
    for decade in x.ticks():
        column, base = x.of(decade), _HEIGHT - _BOTTOM
        parts.append(f'<path class="frame" d="M{column:.1f},{base}v4"/>')
        parts.append(f'<text x="{column:.1f}" y="{base + 17}" class="middle">1e{decade}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" class="middle">step</text>')
    centre = (_TOP + _HEIGHT - _BOTTOM) / 2
    turned = f'transform="translate(13,{centre}) rotate(-90)"'
    return "".join([*parts, f'<text {turned} class="middle">error</text>'])


def _points(curve: Curve, x: Scale, y: Scale) -> str:
    places = [
        (x.at(float(step)), y.at(float(error)))
        for step, error in zip(curve.steps, curve.errors, strict=True)
    ]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    marks = "".join(_mark(curve.style, a, b) for a, b in places)
    return f'<g class="{curve.style}"><polyline points="{line}"/>{marks}</g>'


def _mark(style: str, a: float, b: float) -> str:
    """A disc for what is expected and a square for what came: told apart without colours too."""
    if style == "expected":
        return f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.2"/>'
    return f'<rect x="{a - 3:.1f}" y="{b - 3:.1f}" width="6" height="6"/>'


def _legend(curves: list[Curve], bound: float | None) -> str:
    keys = {"expected": "●", "received": "■"}
    entries = [
        f'<span><b class="{curve.style}">{keys[curve.style]}</b> |{curve.words}|</span>'
        for curve in curves
    ]
    if bound is not None:
        entries.append(f'<span><b class="bound">- -</b> bound {bound:.2g}</span>')
    return " ".join(entries)
