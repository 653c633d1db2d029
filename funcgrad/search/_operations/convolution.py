"""Convolutions."""

from __future__ import annotations

from .._choices import Choices
from .._domains import both, like, ranked
from .._kinds import Operation, Params, Shape


def _kernel(shape: Shape, *before: Shape) -> bool:
    """A kernel (outputs, inputs, length) for a stack of signals (batch, inputs, length)."""
    first = before[0]
    return len(shape) == 3 and shape[1] == first[1] and shape[2] <= first[2]


def _depthwise(shape: Shape, *before: Shape) -> bool:
    """A kernel of as many groups as there are channels."""
    first = before[0]
    return len(shape) == 3 and shape[1] == 1 and shape[0] == first[1] and shape[2] <= first[2]


def _image_kernel(shape: Shape, *before: Shape) -> bool:
    """A kernel (height, width, inputs, outputs) for images (batch, height, width, inputs)."""
    first = before[0]
    inside = len(shape) == 4 and shape[0] <= first[1] and shape[1] <= first[2]
    return inside and shape[2] == first[3]


def signal(choices: Choices, *_: Shape) -> Params:
    return {"options": choices.choice((
        "(1,), 'VALID'", "(1,), 'SAME'", "(2,), [(1, 0)]", "(1,), [(-1, 3)]",
        "(1,), [(1, 1)], lhs_dilation=(2,)", "(1,), [(2, 2)], rhs_dilation=(2,)",
        "(2,), [(1, 2)], lhs_dilation=(2,), rhs_dilation=(2,)",
    ))}  # fmt: skip


def image(choices: Choices, *_: Shape) -> Params:
    return {
        "options": choices.choice(("(1, 1), 'VALID'", "(2, 1), 'SAME'", "(1, 2), [(1, 0), (0, 2)]"))
    }


def transposed(choices: Choices, *_: Shape) -> Params:
    padding = choices.choice(("'SAME'", "'VALID'"))
    return {"options": f"({choices.integer(1, 2)},), {padding}"}


SIGNALS = both(ranked(3, 3))
CONV = "lax.conv_general_dilated({0}, {1}, {options}"
OPERATIONS = (
    Operation("convolution", "convolution", CONV + ")", (SIGNALS, both(_kernel)), signal),
    Operation(
        "depthwise_convolution",
        "convolution",
        CONV + ", feature_group_count={0}.shape[1])",
        (SIGNALS, both(_depthwise)),
        signal,
    ),
    Operation(
        "grouped_batch_convolution",
        "convolution",
        "lax.conv_general_dilated({0}, {1}, (1,), 'SAME', batch_group_count=2)",
        (
            both(lambda s: len(s) == 3 and s[0] == 2),
            both(lambda s, first: len(s) == 3 and s[0] == 2 and s[1] == first[1]),
        ),
    ),
    Operation(
        "image_convolution",
        "convolution",
        CONV + ", dimension_numbers=('NHWC', 'HWIO', 'NHWC'))",
        (both(ranked(4)), both(_image_kernel)),
        image,
    ),
    Operation(
        "transposed_convolution",
        "convolution",
        "lax.conv_transpose({0}, {1}, {options}, dimension_numbers=('NCH', 'OIH', 'NCH'))",
        (SIGNALS, both(lambda s, first: len(s) == 3 and s[1] == first[1])),
        transposed,
    ),
    Operation(
        "convolve_2d",
        "convolution",
        "jax.scipy.signal.convolve2d({0}, {1}, mode='same')",
        (both(ranked(2, 2)), both(like(0))),
    ),
)
