"""For each elementwise rule the partial derivatives by mpmath, and the points of the comparison."""

from __future__ import annotations

import functools
from typing import Any

import mpmath as mp  # type: ignore[import-untyped] # it has no annotations
import numpy as np
from mpmath import mpf

from tests.rules.accuracy import Points, Reference
from tests.rules.accuracy_points import (
    both_signs,
    even,
    grid,
    listed,
    near,
    near_all,
    numbers,
    powers,
    union,
)

# --- regions --------------------------------------------------------------------------------------

ALL = {"regular": even(-10, 10, 41), "all magnitudes": both_signs(powers(count=31))}
POSITIVE = {"regular": even(0.1, 10), "all magnitudes": powers()}
UNIT = {
    "regular": even(-0.95, 0.95, 40),
    "near 0": both_signs(powers(None, 0.1, 20)),
    "near the ends": union(near(1, above=False), near(-1, below=False)),
}
FACTORS = powers(1e-9, 1e9, 8)
PLANE = {
    "regular": grid(both_signs(powers(0.1, 10, 4)), both_signs(powers(0.1, 10, 4))),
    "all magnitudes": grid(both_signs(powers(count=8)), both_signs(powers(count=8))),
}


def _one(*_xs: Any) -> Any:
    return mpf(1)


def _minus_one(*_xs: Any) -> Any:
    return mpf(-1)


def _below_normal(more: float) -> Points:
    """Bases and exponents, less `more`, of powers below the smallest normal number."""

    def points(limits: Any) -> list[tuple[float, ...]]:
        log = float(np.log(0.3 * float(limits.smallest_normal)))
        return [(a, log / float(np.log(a)) + more) for a in (1e-3, 1e-4)]

    return points


REFERENCES: dict[str, list[Reference]] = {
    "neg": [Reference(_minus_one, ALL)],
    "add": [Reference(_one, PLANE), Reference(_one, PLANE, 1)],
    "add_any": [Reference(_one, PLANE), Reference(_one, PLANE, 1)],
    "sub": [Reference(_one, PLANE), Reference(_minus_one, PLANE, 1)],
    "mul": [Reference(lambda _a, b: b, PLANE), Reference(lambda a, _b: a, PLANE, 1)],
    "div": [
        Reference(lambda _a, b: 1 / b, PLANE),
        Reference(lambda a, b: -a / b**2, PLANE, 1),
    ],
    "rem": [
        Reference(_one, PLANE),
        Reference(
            lambda a, b: -_truncated(a / b),
            {
                "regular": grid(both_signs(even(0.13, 9.87, 7)), both_signs(even(0.71, 3.3, 7))),
                "all magnitudes": grid(both_signs(FACTORS), both_signs(FACTORS)),
                "at a jump": listed((0.3, 0.1), (0.9, 0.3), (-0.7, 0.1), (6.0, 0.2), (3.0, 1.0)),
            },
            1,
        ),
    ],
    "max": [Reference(lambda a, b: mpf(a > b) + mpf(a == b) / 2, PLANE),
            Reference(lambda a, b: mpf(b > a) + mpf(a == b) / 2, PLANE, 1)],
    "min": [Reference(lambda a, b: mpf(a < b) + mpf(a == b) / 2, PLANE),
            Reference(lambda a, b: mpf(b < a) + mpf(a == b) / 2, PLANE, 1)],
    "square": [Reference(lambda x: 2 * x, ALL)],
    "one_minus_square": [Reference(lambda x: -2 * x, ALL)],
    "integer_pow": [
        *(Reference(lambda x, n=n: n * x ** (n - 1), ALL, 0, {"y": n}) for n in (3, 1, 0, -1, -2)),
        Reference(lambda x: 7 * x**6, ALL | {
            "last factor": lambda limits: [
                (float(t * limits.smallest_normal / 7) ** (1 / 6),) for t in (1.5, 3, 6)
            ]
        }, 0, {"y": 7}),
    ],
    "sqrt": [Reference(lambda x: 1 / (2 * mp.sqrt(x)), POSITIVE)],
    "rsqrt": [Reference(lambda x: -1 / (2 * x * mp.sqrt(x)), POSITIVE)],
    "cbrt": [Reference(lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2), ALL)],
    "pow": [
        Reference(lambda a, b: b * mp.power(a, b - 1), (_POWERS := {
            "regular": grid(powers(0.1, 10, 7), even(-4, 4, 17)),
            "all magnitudes": grid(powers(count=11), both_signs(powers(1e-30, 300, 12))),
            "near 1": grid(near(1), both_signs(powers(0.01, 1e6, 6))),
        }) | {"last factor": _below_normal(1)}),
        Reference(
            lambda a, b: mp.power(a, b) * mp.log(a), _POWERS | {"last factor": _below_normal(0)}, 1
        ),
    ],
}  # fmt: skip


def _truncated(x: Any) -> Any:
    return mp.sign(x) * mp.floor(abs(x))


# --- exponentials, logarithms, circular and hyperbolic functions ----------------------------------

MULTIPLES = [k * float(mp.pi) / 2 for k in (-40, -7, -3, -2, -1, 1, 2, 3, 4, 9, 100, 1001)]
CIRCULAR = {**ALL, "near zeros and poles": near_all(MULTIPLES, reach=0.01)}
TAILS = {**ALL, "tails": both_signs(union(powers(5, 100, 25), powers(100, 740, 40)))}
ABOVE_ONE = {
    "regular": even(1.1, 10),
    "near 1": near(1, below=False),
    "tail": powers(2, None, 30),
}

REFERENCES |= {
    "exp": [Reference(mp.exp, TAILS)],
    "exp2": [Reference(lambda x: mp.log(2) * mp.power(2, x), TAILS)],
    "expm1": [Reference(mp.exp, TAILS)],
    "log": [Reference(lambda x: 1 / x, POSITIVE)],
    "log2": [Reference(lambda x: 1 / (x * mp.log(2)), POSITIVE)],
    "log1p": [Reference(lambda x: 1 / (1 + x), {
        "regular": even(-0.9, 10),
        "all magnitudes": powers(),
        "near -1": near(-1, below=False),
        "near 0": both_signs(powers(None, 0.1, 20)),
    })],
    "logistic": [Reference(lambda x: 1 / ((1 + mp.exp(-x)) * (1 + mp.exp(x))), TAILS)],
    "sin": [Reference(mp.cos, CIRCULAR)],
    "cos": [Reference(lambda x: -mp.sin(x), CIRCULAR)],
    "tan": [Reference(lambda x: 1 / mp.cos(x) ** 2, CIRCULAR)],
    "tanh": [Reference(lambda x: 1 / mp.cosh(x) ** 2, {
        "regular": even(-2, 2), "near 0": both_signs(powers(None, 1, 20)),
        "tails": both_signs(even(2, 40, 39)),
        "far tails": both_signs(powers(40, 355, 30)),
    })],
    "sinh": [Reference(mp.cosh, TAILS)],
    "cosh": [Reference(mp.sinh, TAILS)],
    "asin": [Reference(lambda x: 1 / mp.sqrt((1 - x) * (1 + x)), UNIT)],
    "acos": [Reference(lambda x: -1 / mp.sqrt((1 - x) * (1 + x)), UNIT)],
    "atan": [Reference(lambda x: 1 / (1 + x * x), ALL)],
    "atan2": [
        Reference(lambda a, b: b / (a * a + b * b), PLANE),
        Reference(lambda a, b: -a / (a * a + b * b), PLANE, 1),
    ],
    "asinh": [Reference(lambda x: 1 / mp.sqrt(1 + x * x), ALL)],
    "acosh": [Reference(lambda x: 1 / mp.sqrt((x - 1) * (x + 1)), ABOVE_ONE)],
    "atanh": [Reference(lambda x: 1 / ((1 - x) * (1 + x)), UNIT)],
}  # fmt: skip

# --- special functions ----------------------------------------------------------------------------

NEGATIVE = union(
    even(-30.75, -0.25, 20), numbers(-16.5, -0.1, -0.01, -1e-5, -100.3, -1000.4, -4000.7)
)
GAMMA = {
    "positive": even(0.1, 20, 25),
    "all magnitudes": powers(),
    "negative": NEGATIVE,
    "near the poles": union(near_all([-1, -17]), both_signs(powers(None, 0.1, 10))),
    "near the zero": near(1.4616321449683623),
}


def _error_density(x: Any) -> Any:
    return 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)


def _erf_inv_slope(x: Any) -> Any:
    with mp.workdps(80):
        return mp.exp(mp.erfinv(x) ** 2) * mp.sqrt(mp.pi) / 2


ERROR = {
    "regular": even(-3, 3),
    "all magnitudes": both_signs(powers(count=20)),
    "tails": both_signs(even(3, 28, 50)),
}


def gamma_density(a: Any, x: Any) -> Any:
    return mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a))


@functools.cache
def by_shape(a: Any, x: Any) -> Any:
    """d/da of the regularized lower incomplete gamma function, from the smaller of the two."""
    step = a * mpf(10) ** -15
    with mp.workdps(60):
        ends, sign = ((x, mp.inf), -1) if x > a else ((0, x), 1)
        above, below = (mp.gammainc(b, *ends, regularized=True) for b in (a + step, a - step))
        return sign * (above - below) / (2 * step)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    norm = mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)
    return mp.exp((a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) + norm)


def i0e_slope(x: Any) -> Any:
    """I1 - I0 as a confluent function (DLMF 10.39.5, 13.3.15), which does not cancel."""
    return -mp.sign(x) * mp.hyp1f1(1.5, 2, -2 * abs(x))


def i1e_slope(x: Any) -> Any:
    size = abs(x)
    return (mp.hyp1f1(1.5, 3, -2 * size) - size * mp.hyp1f1(2.5, 4, -2 * size)) / 2


DENSITY = {
    "regular": union(
        grid(numbers(0.3, 1.5, 3.0, 5.7, 6.6, 11.1), numbers(0.2, 3.25, 6.3, 10.9)),
        listed((7.25, 6.5), (7.25, 7.0), (8.4, 10.86), (6.5, 8.5)),
    ),
    "small": grid(powers(1e-30, 1, 4), powers(1e-36, 1, 5)),
    "large, near the mode": listed(
        *((a, a * (1 + t / a**0.5)) for a in (15, 300, 1e5) for t in (-3, -1, 0, 2))
    ),
    "far from the mode": union(
        grid(numbers(5, 20, 80), powers(1e-4, 600, 5)), listed((80, 85.3), (0.5, 30))
    ),
}
# few, and of few digits, so that both dtypes share them: mpmath takes its time
SHAPE = {
    "regular": listed((0.25, 0.5), (3, 3.25), (8, 7.75), (11, 11.25), (12.5, 12.25), (11, 20)),
    "small": listed((2**-66, 2**-60), (2**-66, 2**-35), (2**-100, 2**-10), (2**-66, 1)),
    "large, near the mode": listed((300, 310), (1e5, 1e5)),
    "far from the mode": listed((80, 85.25), (80, 20), (5, 150)),
}
BETA = {
    "regular": union(
        grid(numbers(0.4, 1, 3, 7.5), numbers(0.5, 2, 6), even(0.03, 0.97, 6)),
        listed(
            (4.737621007452961, 6.170348833405461, 0.4323990581888032),
            (5.307135105133057, 2.5651934146881104, 0.7314714193344116),
        ),
    ),
    "small": listed((0.04312, 46.77, 0.8304239)),
    "large": listed(
        *((a, b, a / (a + b) * (1 + t * (b / a / (a + b)) ** 0.5))
          for a in (20, 300, 4000) for b in (30, 1e4) for t in (-2, 0, 0.1))
    ),
    "near the ends": union(
        grid(numbers(0.4, 30), numbers(0.5, 2.5), powers(1e-30, 1e-2, 5)),
        grid(numbers(0.4, 1.5), numbers(0.5, 30), listed((1 - 1e-6,), (1 - 2**-11,), (0.99,))),
    ),
}  # fmt: skip
BESSEL = {
    "up to 8": both_signs(union(powers(None, 0.1, 10), even(0.1, 8, 17))),
    "8 to 40": both_signs(even(8, 40, 17)),
    "tails": both_signs(powers(40, None, 9)),
}

REFERENCES |= {
    "erf": [Reference(_error_density, ERROR)],
    "erfc": [Reference(lambda x: -_error_density(x), ERROR)],
    "erf_inv": [Reference(_erf_inv_slope, {
        "regular": even(-0.95, 0.95, 20), "near 0": both_signs(powers(None, 0.1, 10)),
        "near the ends": union(near(1, above=False), near(-1, below=False)),
    })],
    "lgamma": [Reference(mp.digamma, GAMMA)],
    "digamma": [Reference(lambda x: mp.psi(1, x), GAMMA)],
    "polygamma": [Reference(lambda m, x: mp.psi(int(m) + 1, x), {
        "positive": grid(numbers(0, 1, 2, 5), even(0.1, 20, 8)),
        "all magnitudes": grid(numbers(0, 1, 2, 5), powers(count=13)),
    }, 1)],
    "zeta": [Reference(lambda s, q: -s * mp.zeta(s + 1, q), {
        "regular": grid(numbers(1.5, 3, 7.25), even(0.3, 20, 7)),
        "all magnitudes": grid(numbers(1.5, 3), powers(count=11)),
    }, 1)],
    "igamma": [Reference(by_shape, SHAPE), Reference(gamma_density, DENSITY, 1)],
    "igammac": [Reference(lambda a, x: -by_shape(a, x), SHAPE),
                Reference(lambda a, x: -gamma_density(a, x), DENSITY, 1)],
    "igamma_grad_a": [
        Reference(lambda a, x: gamma_density(a, x) * (mp.log(x) - mp.digamma(a)),
                  DENSITY | {"at the density's underflow":
                      listed((0.5, 85.283), (0.5, 704.6))}, 1)
    ],
    "regularized_incomplete_beta": [Reference(beta_density, BETA, 2)],
    "bessel_i0e": [Reference(i0e_slope, BESSEL)],
    "bessel_i1e": [Reference(i1e_slope, BESSEL)],
}  # fmt: skip
