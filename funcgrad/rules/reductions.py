"""Reductions over axes: sum, product, maximum and minimum."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import Case, general, linear
from .._reverse import type_of
from ._cases import shaped


def _spread(value: Any, axes: tuple[int, ...], whole: Any) -> Any:
    """Repeat a reduced value along the axes that the reduction of `whole` removed."""
    kept = tuple(axis for axis in range(whole.ndim) if axis not in axes)
    sharding = compat.explicit_sharding(type_of(whole))
    return lax.broadcast_in_dim(value, whole.shape, kept, out_sharding=sharding)


linear(
    p.reduce_sum_p, lambda ct, _y, _x, *, axes: _spread(ct, axes, _x),
    ignores=["out_sharding"],
    cases=[
        shaped(jnp.sum, (), (3,), (2, 3), (0, 2)),
        shaped(lambda x: jnp.sum(x, axis=1), (2, 3), (2, 3, 4), (2, 0)),
        shaped(lambda x: jnp.sum(x, axis=(0, 2), keepdims=True), (2, 3, 4)),
    ],
)  # fmt: skip


def _extremum(ct: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    """Entries that tie for the extremum share its cotangent equally, as in JAX."""
    chosen = (x == _spread(y, axes, x)).astype(ct.dtype)
    count = compat.sum_over(chosen, axes)
    return chosen * _spread(ct / count, axes, x)


for _primitive, _function, _beyond in (
    (p.reduce_max_p, jnp.max, 3.0),
    (p.reduce_min_p, jnp.min, -3.0),
):
    general(
        _primitive, _extremum, ignores=["out_sharding"],
        cases=[
            shaped(_function, (), (3,), (2, 3), dtypes="f", kinks=(_beyond,)),
            shaped(lambda x, f=_function: f(x, axis=1), (2, 3), (2, 3, 4), (0, 2), dtypes="f",
                   kinks=(_beyond,)),
        ],
    )  # fmt: skip


# The product of all entries but one, for every entry, without a division (an entry may be 0): pair
# the entries, find for each pair the product of all other pairs, and multiply by the partner.
def _product_of_others(x: Any) -> Any:
    """For x of shape (n, ...), the products over the first axis without its own entry."""
    count = x.shape[0]
    if count <= 1:
        return lax.full_like(x, 1)
    pairs = (count + 1) // 2
    if count % 2:
        x = lax.concatenate([x, lax.full_like(x[:1], 1)], 0)
    first, second = x[:pairs], x[pairs:]
    others = _product_of_others(first * second)
    return lax.concatenate([others * second, others * first], 0)[:count]


def _product(ct: Any, _y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    order = [*axes, *kept]
    moved = lax.transpose(x, order)
    flat = lax.collapse(moved, 0, len(axes)) if axes else moved[None]
    others = _product_of_others(flat).reshape(moved.shape)
    back = sorted(range(x.ndim), key=order.__getitem__)
    return _spread(ct, axes, x) * lax.transpose(others, back)


general(
    p.reduce_prod_p, _product, ignores=["out_sharding"],
    cases=[
        shaped(jnp.prod, (), (3,), (2, 3), (5,), (0,)),
        shaped(lambda x: jnp.prod(x, axis=1), (2, 3), (2, 4, 2), (0, 2), (2, 0)),
        shaped(lambda x: jnp.prod(x, axis=()), (2, 3)),
        Case(lambda z, x: jnp.prod(jnp.append(z, x)), ((-0.01, 0.01), (-2, 2)), (((), (3,)),),
             dtypes="fc", note="one entry is zero, or close to it"),
    ],
)  # fmt: skip
