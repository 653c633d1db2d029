"""Whether the numerical derivatives' stated bounds hold, against mpmath on random problems.

    python tests/verify/honesty.py [--problems 10000] [--seed 0]

Every family draws functions and points. The function is evaluated in plain NumPy, so that its
rounding is real; its derivative is mpmath's, at 40 digits, at the very point. The table gives, for
each family, how many true errors lie inside the bound, how sharp the bounds are, and how many
points are seen to be smooth, as all of them are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import mpmath  # type: ignore[import-untyped] # it has no annotations
import numpy as np

from funcgrad.verify._differences import Estimate, differentiate

Draw = np.random.Generator
Function = Callable[[Any, Any], Any]  # of a library (NumPy or mpmath) and of x


class Problem(NamedTuple):
    """A function, a point, and a direction."""

    function: Function
    x: float
    v: float
    dtype: Any = np.float64


class Score(NamedTuple):
    """One problem's outcome."""

    problem: Problem
    found: Estimate
    exact: float

    @property
    def inside(self) -> bool:
        return abs(self.found.value - self.exact) <= self.found.error

    @property
    def relative_bound(self) -> float:
        return self.found.error / abs(self.exact or 1.0)


class _Numbers:
    """The same names in NumPy; `num` makes a constant of the library's type."""

    exp, log, sin, cos, tan, tanh = np.exp, np.log, np.sin, np.cos, np.tan, np.tanh
    sqrt, fabs, atan, sinh = np.sqrt, np.abs, np.arctan, np.sinh

    def __init__(self, dtype: Any = np.float64) -> None:
        self.num = dtype

    def gamma(self, x: Any) -> Any:
        return np.exp(self.loggamma(x))

    def loggamma(self, x: Any) -> Any:
        """Stirling's series after moving the argument up, for x > 0."""
        shift = np.zeros_like(x)
        for k in range(12):
            shift = shift + np.log(x + k)
        z = x + 12
        series = 1 / (12 * z) - 1 / (360 * z**3) + 1 / (1260 * z**5) - 1 / (1680 * z**7)
        return (z - 0.5) * np.log(z) - z + 0.9189385332046727 + series - shift


class _Exact:
    exp, log, sin, cos, tan, tanh = (
        mpmath.exp, mpmath.log, mpmath.sin, mpmath.cos, mpmath.tan, mpmath.tanh
    )  # fmt: skip
    sqrt, fabs, atan, sinh = mpmath.sqrt, mpmath.fabs, mpmath.atan, mpmath.sinh
    gamma, loggamma, num = mpmath.gamma, mpmath.loggamma, mpmath.mpf


def magnitude(draw: Draw, low: float, high: float) -> float:
    """A number of any magnitude between two."""
    return float(10 ** draw.uniform(np.log10(low), np.log10(high)))


def direction(draw: Draw, x: float) -> float:
    """Scaled like the point, or with the floor that a caller gives the scale."""
    sign = draw.choice([-1.0, 1.0])
    return float(
        sign * (abs(x) * draw.uniform(0.5, 1) if draw.random() < 0.7 else max(abs(x), 1e-3))
    )


def at(draw: Draw, function: Function, x: float, dtype: Any = np.float64) -> Problem:
    x = float(dtype(x))
    return Problem(function, x, float(dtype(direction(draw, x))), dtype)


def _pick(draw: Draw, *functions: Function) -> Function:
    return functions[int(draw.integers(len(functions)))]


def elementary(draw: Draw) -> Problem:
    f = _pick(
        draw, lambda m, x: m.exp(x), lambda m, x: m.log(x), lambda m, x: m.sin(x),
        lambda m, x: m.cos(x), lambda m, x: m.tanh(x), lambda m, x: m.atan(x),
        lambda m, x: m.sqrt(x), lambda m, x: m.sinh(x), lambda _m, x: 1 / x,
    )  # fmt: skip
    return at(draw, f, draw.uniform(0.05, 6))


def compositions(draw: Draw) -> Problem:
    a, b = draw.uniform(0.2, 3, 2)
    f = _pick(
        draw, lambda m, x: m.exp(-a * x * x) * m.sin(b * x),
        lambda m, x: m.log(1 + m.exp(a * x + b)), lambda m, x: m.sin(m.exp(m.sin(a * x))),
        lambda m, x: m.sqrt(1 + m.tanh(a * x) ** 2), lambda m, x: x / (1 + m.exp(-a * x)),
        lambda m, x: m.exp(m.sin(a * x) / (b + x * x)),
    )  # fmt: skip
    return at(draw, f, draw.uniform(-4, 4))


def frequencies(draw: Draw) -> Problem:
    w, c = magnitude(draw, 1e3, 1e5), draw.uniform(0, 3)
    f = _pick(
        draw, lambda m, x: m.sin(w * x + c), lambda m, x: m.cos(w * x) * m.exp(-x),
        lambda m, x: x + m.sin(w * x) / w, lambda m, x: c + m.exp(m.sin(w * x)),
    )  # fmt: skip
    return at(draw, f, draw.uniform(-2, 2))


def steep(draw: Draw) -> Problem:
    k, c = magnitude(draw, 1e2, 1e6), draw.uniform(-2, 2)
    f = _pick(
        draw, lambda m, x: m.tanh(k * (x - c)), lambda m, x: 1 / (1 + m.exp(-k * (x - c))),
        lambda m, x: m.atan(k * (x - c)), lambda m, x: m.sqrt((x - c) ** 2 + 1 / m.num(k) ** 2),
    )  # fmt: skip
    return at(draw, f, c + draw.normal() * 2 / k)


def powers(draw: Draw) -> Problem:
    p = float(draw.choice([-3, -1.5, -0.5, 0.3, 0.5, 1.5, 2, 3, 7, 20, 2.7]))
    return at(draw, lambda _m, x: x**p, magnitude(draw, 1e-3, 1e3))


def rational(draw: Draw) -> Problem:
    c, gap = draw.uniform(-2, 2), magnitude(draw, 1e-6, 1) * draw.choice([-1, 1])
    f = _pick(
        draw, lambda _m, x: 1 / (x - c), lambda _m, x: (x * x + 1) / (x - c) ** 2,
        lambda _m, x: x / (x * x + 1e-4), lambda _m, x: 1 / (x - c) + 1 / (x - c + 5 * gap),
    )  # fmt: skip
    return at(draw, f, c + gap)


def gammas(draw: Draw) -> Problem:
    f = _pick(draw, lambda m, x: m.loggamma(x), lambda m, x: m.gamma(x))
    return at(draw, f, draw.uniform(0.05, 20))


def cancellation(draw: Draw) -> Problem:
    f = _pick(
        draw, lambda m, x: (1 - m.cos(x)) / (x * x), lambda m, x: (m.exp(x) - 1) / x,
        lambda m, x: (x - m.sin(x)) / (x * x * x), lambda m, x: m.sqrt(1 + x) - m.sqrt(x),
        lambda m, x: m.log(1 + x) / x, lambda _m, x: (x + 1e6) ** 2 - 1e12 - 2e6 * x,
    )  # fmt: skip
    return at(draw, f, magnitude(draw, 1e-6, 10))


def offsets(draw: Draw) -> Problem:
    size = magnitude(draw, 1e2, 1e10)
    f = _pick(
        draw, lambda m, x: size + m.sin(x), lambda _m, x: size + x**3,
        lambda m, x: (size + m.exp(x)) - size, lambda _m, x: size * (1 + x / size),
    )  # fmt: skip
    return at(draw, f, draw.uniform(-3, 3))


def scales(draw: Draw) -> Problem:
    a, b = magnitude(draw, 1e-30, 1e30), magnitude(draw, 1e-30, 1e30)
    f = _pick(
        draw, lambda m, x: a * m.sin(x / b), lambda m, x: a * m.exp(x / b),
        lambda _m, x: a * (x / b) ** 3, lambda _m, x: a / (1 + (x / b) ** 2),
    )  # fmt: skip
    x = b * draw.uniform(0.1, 4)
    return Problem(f, x, x * draw.uniform(0.5, 1))


def sums(draw: Draw) -> Problem:
    weights = draw.normal(size=200)

    def f(m: Any, x: Any) -> Any:
        total = 0 * x
        for k, weight in enumerate(weights):
            total = total + float(weight) * m.sin(x * (0.05 * k + 0.1) + k)
        return total

    return at(draw, f, draw.uniform(-2, 2))


def edges(draw: Draw) -> Problem:
    gap = magnitude(draw, 1e-8, 1e-2)
    c = draw.uniform(0.5, 2)
    f, x = [
        (lambda m, x: m.log(x), gap), (lambda m, x: x * m.log(x), gap),
        (lambda m, x: m.sqrt(x), gap), (lambda m, x: m.log(x - c), c + gap),
        (lambda m, x: m.sqrt(c - x), c - gap), (lambda _m, x: (x - c) ** 1.5, c + gap),
    ][int(draw.integers(6))]  # fmt: skip
    return at(draw, f, x)


def kinks(draw: Draw) -> Problem:
    """Beside the point; a bump with two kinks is of a height that the values' roundoff leaves."""
    gap, c = magnitude(draw, 1e-8, 1e-2) * draw.choice([-1, 1]), draw.uniform(-2, 2)
    a, b = draw.uniform(-2, 2, 2)
    wide = float(np.copysign(max(abs(gap), 1e-6), gap))
    f = _pick(
        draw, lambda m, x: m.fabs(x - c), lambda m, x: a * x + b * m.fabs(x - c),
        lambda m, x: m.sin(3 * x) + (m.fabs(x - c) + (x - c)) / 2,
        lambda m, x: m.exp(x) * m.fabs(m.sin(x - c)), lambda m, x: 1 + (m.fabs(x - c) + (x - c)),
        lambda m, x: m.exp(x) + b * m.fabs((x - c) * (x - c - 3 * wide)),
    )  # fmt: skip
    return at(draw, f, c + gap)


def single_precision(draw: Draw) -> Problem:
    a = float(np.float32(draw.uniform(0.2, 3)))
    f = _pick(
        draw, lambda m, x: m.sin(m.num(a) * x), lambda m, x: m.exp(-x * x),
        lambda m, x: m.log(1 + m.exp(x)), lambda m, x: m.tanh(m.num(20) * x),
        lambda _m, x: x * x * x + x, lambda m, x: m.sin(m.num(300) * x),
        lambda m, x: m.fabs(x - m.num(a)), lambda m, x: m.num(100) + m.sin(x),
    )  # fmt: skip
    return at(draw, f, draw.uniform(-3, 3), np.float32)


FAMILIES: tuple[Callable[[Draw], Problem], ...] = (
    elementary, compositions, frequencies, steep, powers, rational, gammas, cancellation, offsets,
    scales, sums, edges, kinks, single_precision,
)  # fmt: skip


@cache
def _library(dtype: Any) -> _Numbers:
    return _Numbers(dtype)


def score(problem: Problem) -> Score:
    """Differentiate a problem numerically and exactly."""
    function, x, v, dtype = problem
    library = _library(dtype)

    def along(points: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(library, dtype(x) + points.astype(dtype) * dtype(v))

    epsilon = float(np.finfo(dtype).eps)
    with mpmath.workdps(40):
        step = abs(x) * mpmath.mpf(10) ** -25
        slope = mpmath.diff(lambda z: function(_Exact, z), mpmath.mpf(x), h=step)
        exact = float(slope * mpmath.mpf(v))
    return Score(problem, differentiate(along, epsilon), exact)


def run(problems: int, seed: int) -> dict[str, list[Score]]:
    """As many problems, evenly of each family."""
    draw = np.random.default_rng(seed)
    results: dict[str, list[Score]] = {family.__name__: [] for family in FAMILIES}
    for number in range(problems):
        family = FAMILIES[number % len(FAMILIES)]
        results[family.__name__].append(score(family(draw)))
    return results


def table(results: dict[str, list[Score]]) -> str:
    """One row for each family, and one for all."""
    names = ("problems", "inside", "median", "99%", "useful", "smooth")
    head = "{:18}{:>9}{:>9}{:>10}{:>10}{:>8}{:>8}".format("family", *names)
    everything = [s for scores in results.values() for s in scores]
    return "\n".join([head, *(_row(*item) for item in (*results.items(), ("all", everything)))])


def _row(name: str, scores: list[Score]) -> str:
    bounds = np.array([s.relative_bound for s in scores])
    middle, high = np.sort(bounds)[[len(bounds) // 2, int(0.99 * (len(bounds) - 1))]]
    parts = (
        np.mean([s.inside for s in scores]), middle, high, np.mean(bounds < 1e-6),
        np.mean([s.found.kind == "smooth" for s in scores]),
    )  # fmt: skip
    return "{:18}{:9d}{:9.3%}{:10.1e}{:10.1e}{:8.1%}{:8.1%}".format(name, len(scores), *parts)


def main(arguments: list[str]) -> int:
    """Print the table; the exit code is 1 where fewer than 99.9% of the bounds hold."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    results = run(options.problems, options.seed)
    print(table(results))
    inside = [s.inside for scores in results.values() for s in scores]
    return 0 if np.mean(inside) >= 0.999 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
