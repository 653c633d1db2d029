"""Where the partial derivatives of elementwise rules miss the bound of accuracy, and why."""

from __future__ import annotations

from typing import NamedTuple


class Exceeding(NamedTuple):
    """A region in which a rule misses the bound.

    Attributes:
        primitive: its name.
        operand: by which operand the derivative is.
        dtype: of the numbers.
        region: as the reference names it.
        error: the measured one, in units of eps (|d| + sum |x d'|), rounded up.
        reason: why it is not mended.
        older: whether only the older supported JAX, before 0.12, is meant.
    """

    primitive: str
    operand: int
    dtype: str
    region: str
    error: float
    reason: str
    older: bool = False


_SPEED = (
    "speed: from the output 1 - y^2 costs no exponential, where every entry of every hidden layer "
    "would take one; in the tails y rounds to 1"
)
_FACTOR = (
    "the derivative is just above the smallest normal number and the power in it, less its factor, "
    "just below, which XLA flushes to 0; a scaled product would slow every power"
)
_EXPONENT = (
    "b - 1 rounds off digits of an exponent b near 0, which counts where ln a is in the hundreds; "
    "y / a there would keep the output of every power alive on the tape"
)
_SHAPE = "JAX's primitive igamma_grad_a, whose series cancels; there is no short formula"
_LGAMMA = "JAX's lgamma errs by several eps between 5 and 8, where Stirling's series is too short"
_DENSITY = (
    "the density underflows and its product with ln x - digamma(a), a few times larger, does not"
)

EXCEPTIONS = (
    Exceeding("tanh", 0, "float32", "tails", 5e5, _SPEED),
    Exceeding("tanh", 0, "float32", "far tails", 1.1e5, _SPEED),
    Exceeding("tanh", 0, "float64", "tails", 1.4e15, _SPEED),
    Exceeding("tanh", 0, "float64", "far tails", 6e13, _SPEED),
    Exceeding("integer_pow", 0, "float32", "last factor", 1.3e6, _FACTOR),
    Exceeding("integer_pow", 0, "float64", "last factor", 6.5e14, _FACTOR),
    Exceeding("pow", 0, "float32", "last factor", 8e4, _FACTOR),
    Exceeding("pow", 0, "float64", "last factor", 6e12, _FACTOR),
    Exceeding("pow", 1, "float32", "last factor", 9e4, _FACTOR),
    Exceeding("pow", 1, "float64", "last factor", 6e12, _FACTOR),
    Exceeding("pow", 0, "float32", "all magnitudes", 15, _EXPONENT),
    Exceeding("pow", 0, "float64", "all magnitudes", 95, _EXPONENT),
    *(
        Exceeding(name, 0, dtype, region, error, _SHAPE)
        for name in ("igamma", "igammac")
        for dtype, region, error in (
            ("float32", "regular", 30),
            ("float32", "small", 16),
            ("float32", "large, near the mode", 4.8e5),
            ("float32", "far from the mode", 18),
            ("float64", "regular", 24),
            ("float64", "small", 13),
            ("float64", "large, near the mode", 2.8e5),
            ("float64", "far from the mode", 36),
        )
    ),
    Exceeding("igamma", 1, "float64", "regular", 18, _LGAMMA),
    Exceeding("igammac", 1, "float64", "regular", 18, _LGAMMA),
    Exceeding("igamma_grad_a", 1, "float64", "regular", 18, _LGAMMA),
    Exceeding("igamma", 1, "float32", "regular", 12, _LGAMMA, older=True),
    Exceeding("igammac", 1, "float32", "regular", 12, _LGAMMA, older=True),
    Exceeding("igamma_grad_a", 1, "float32", "regular", 20, _LGAMMA, older=True),
    Exceeding("regularized_incomplete_beta", 2, "float32", "regular", 16, _LGAMMA, older=True),
    Exceeding("regularized_incomplete_beta", 2, "float64", "regular", 20, _LGAMMA),
    Exceeding("igamma_grad_a", 1, "float32", "at the density's underflow", 1e5, _DENSITY),
    Exceeding("igamma_grad_a", 1, "float64", "at the density's underflow", 1e13, _DENSITY),
)

_NO_CLOSED_FORM = "has no closed form, and JAX no derivative"

# By primitive and operand: why there is no partial derivative.
WITHOUT_PARTIAL = {
    ("polygamma", 0): f"the derivative by the order {_NO_CLOSED_FORM}",
    ("zeta", 0): f"the derivative by the exponent {_NO_CLOSED_FORM}",
    ("igamma_grad_a", 0): f"the second derivative by the parameter {_NO_CLOSED_FORM}",
    ("regularized_incomplete_beta", 0): f"the derivative by a parameter {_NO_CLOSED_FORM}",
    ("regularized_incomplete_beta", 1): f"the derivative by a parameter {_NO_CLOSED_FORM}",
}
