"""Operations that move entries about."""

from __future__ import annotations

import numpy as np

from .._choices import Choices
from .._domains import POOL, any_shape, both, like, ranked
from .._kinds import Operation, Params, Shape, Slot


def _shapes_of(size: int) -> list[Shape]:
    return [shape for shape in [(size,), *POOL] if np.prod(shape) == size]


def reshaped(choices: Choices, shape: Shape) -> Params:
    return {"shape": str(choices.choice(_shapes_of(int(np.prod(shape)))))}


def resized(choices: Choices, _: Shape) -> Params:
    return {"shape": str(choices.choice(POOL))}


def axis(choices: Choices, *shapes: Shape) -> Params:
    return {"axis": str(choices.integer(0, len(shapes[0]) - 1))}


def permuted(choices: Choices, shape: Shape) -> Params:
    left, order = list(range(len(shape))), []
    while left:
        order.append(left.pop(choices.integer(0, len(left) - 1)))
    return {"order": str(tuple(order))}


def padded(choices: Choices, shape: Shape) -> Params:
    """Padding before, after and between entries of an axis; a negative one takes entries away."""
    options = ((1, 0, 0), (0, 1, 1), (1, 1, 0), (-1, 1, 0), (2, -1, 1))
    axis = choices.integer(0, len(shape) - 1)
    drawn = [(0, 0, 0)] * len(shape)
    drawn[axis] = choices.choice(options if shape[axis] > 1 else options[:3])
    return {"padding": str(tuple(drawn))}


def sliced(choices: Choices, shape: Shape) -> Params:
    """A slice without the first entries, without the last, or of every other one."""
    form = choices.integer(0, 2)
    starts = tuple(int(form == 0 and n > 1) for n in shape)
    stops = tuple(n - int(form == 1 and n > 1) for n in shape)
    strides = tuple(1 + int(form == 2) for _ in shape)
    return {"starts": str(starts), "stops": str(stops), "strides": str(strides)}


def subscript(choices: Choices, shape: Shape) -> Params:
    """What stands in brackets: strides, also backwards, new axes and an ellipsis."""
    first = choices.choice(("::2", "1:", "::-1", "0", "-1", "None", "..., :2"))
    return {"index": first if shape[0] > 1 or first != "1:" else "::2"}


def even_axis(choices: Choices, shape: Shape) -> Params | None:
    even = [i for i, n in enumerate(shape) if n % 2 == 0]
    return {"axis": str(choices.choice(even))} if even else None


def repeats(choices: Choices, shape: Shape) -> Params:
    inner = choices.choice(("2", "(2, 1)"))
    return {"repeats": inner, "axis": str(choices.integer(0, len(shape) - 1))}


def wider(choices: Choices, shape: Shape) -> Params:
    return {"shape": str((choices.choice((2, 3)), *shape))}


def shaping(
    name: str, template: str, *more: Slot, low: int = 1, params: object = axis, **options: object
) -> Operation:
    slots = (both(ranked(low)), *more)
    return Operation(name, "shape", template, slots, params, **options)  # type: ignore[arg-type] # of a NamedTuple


SAME = both(like(0))
OPERATIONS = (
    Operation("resize", "shape", "jnp.resize({0}, {shape})", (both(any_shape),), resized),
    Operation("fill", "shape", "jnp.full({shape}, {0}.ravel()[0])", (both(any_shape),), resized),
    shaping("ravel", "{0}.ravel()", params=None),
    shaping("reshape", "{0}.reshape({shape})", low=0, params=reshaped),
    shaping("transpose", "jnp.transpose({0}, {order})", low=2, params=permuted),
    shaping("moveaxis", "jnp.moveaxis({0}, {axis}, -1)", low=2),
    shaping("swapaxes", "{0}.T", low=2, params=None),
    shaping("concatenate", "jnp.concatenate([{0}, {1}], axis={axis})", SAME),
    shaping("concatenate_three", "lax.concatenate([{0}, {1}, {0}], {axis})", SAME),
    shaping("stack", "jnp.stack([{0}, {1}], axis={axis})", SAME),
    shaping("split", "jnp.split({0}, 2, axis={axis})", params=even_axis, results=2),
    shaping(
        "unstack",
        "jnp.unstack({0}.reshape(2, -1))",
        results=2,
        params=lambda _, shape: {} if np.prod(shape) % 2 == 0 else None,
    ),
    shaping("pad", "lax.pad({0}, jnp.zeros((), {0}.dtype), {padding})", params=padded),
    shaping("pad_with_value", "lax.pad({0}, 0.5 * {0}.ravel()[0], {padding})", params=padded),
    shaping(
        "pad_reflected",
        "jnp.pad({0}, 1, mode={mode})",
        params=lambda c, shape: (
            {"mode": repr(c.choice(("reflect", "edge", "wrap")))} if min(shape) > 1 else None
        ),
    ),
    shaping("slice", "lax.slice({0}, {starts}, {stops}, {strides})", params=sliced),
    shaping("subscript", "{0}[{index}]", params=subscript),
    shaping("flip", "jnp.flip({0}, {axis})"),
    shaping("rev", "lax.rev({0}, ({axis},))"),
    shaping("roll", "jnp.roll({0}, 1, axis={axis})"),
    shaping("squeeze", "jnp.squeeze({0}[None])", low=0, params=None),
    shaping("expand_dims", "jnp.expand_dims({0}, {axis})"),
    shaping("broadcast_to", "jnp.broadcast_to({0}, {shape})", low=0, params=wider),
    shaping(
        "broadcast_in_dim",
        "lax.broadcast_in_dim({0}, (2, *{0}.shape, 1), range(1, {0}.ndim + 1))",
        low=0,
        params=None,
    ),
    shaping("tile", "jnp.tile({0}, {repeats})", params=repeats),
    shaping(
        "lax_tile", "lax.tile({0}, ({repeats},) * {0}.ndim)", params=lambda *_: {"repeats": "2"}
    ),
    shaping("repeat", "jnp.repeat({0}, 2, axis={axis})"),
    shaping("rot90", "jnp.rot90({0})", low=2, params=None),
    shaping("diagonal", "jnp.diagonal({0})", low=2, params=None),
    shaping("diag", "jnp.diag({0}.ravel()[:3])", params=None),
    shaping("tril", "jnp.tril({0})", low=2, params=None),
    shaping("triu", "jnp.triu({0}, 1)", low=2, params=None),
    shaping(
        "difference",
        "jnp.diff({0}, axis={axis})",
        params=lambda c, shape: axis(c, shape) if min(shape) > 1 else None,
    ),
    shaping(
        "meshgrid", "jnp.meshgrid({0}.ravel()[:3], {1}.ravel()[:3])", SAME, params=None, results=2
    ),
)
