"""`check_collectives`: is a sum over the devices of a mesh taken twice?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax

from funcgrad._arguments import check_callable
from funcgrad._errors import CollectiveError, ConfigurationError
from funcgrad.parallel._repeated import RepeatedSum, repeated_sums

_REPORTS = ("return", "warn", "raise")


class CollectiveWarning(UserWarning):
    """A sum over devices of what is the same on all of them, or was summed over them already."""


def check_collectives(
    fun: Callable[..., Any], *args: Any, report: str = "return", **kwargs: Any
) -> tuple[RepeatedSum, ...]:
    """Find the sums over devices that are taken twice, without running anything.

    The function is traced, and its `shard_map`s are read: which values differ between the devices
    of an axis and which do not, whether its axes are typed (`check_vma=True`) or not. Found are

    - a `psum` or `psum_scatter` of a value that is the same on all devices: it multiplies by their
      number. Without types, where a psum is transposed to one of an equal cotangent, only if the
      gradient is summed once more, or leaves the map as it is;
    - a `pmean` of a value that is a sum over these devices: it changes nothing, so that a gradient
      that was meant to be a mean is as many times too large as there are devices.

    A count (a psum of ones) and a mean that only repeats another are passed over. What depends on
    the loss that was meant is not seen from the program; `funcgrad.check(loss, *args,
    gradient=fun)` compares the numbers.

    Args:
        fun: a function that calls a `jax.shard_map`, such as a gradient or a step of training.
        *args: its arguments, or `jax.ShapeDtypeStruct`s in their places.
        report: "return" returns what is found, "warn" also warns of each, "raise" raises an error.
        **kwargs: passed to `fun`.

    Returns:
        A tuple of `RepeatedSum`s, empty if there is none, each with the place in the source, the
        axes, and how many devices they have.

    Raises:
        CollectiveError: something is found, and `report` is "raise".
        ConfigurationError: `report` is none of the three.
        GradientTypeError: `fun` is no function.

    >>> import numpy as np
    >>> from jax.sharding import AbstractMesh, AxisType, PartitionSpec as P
    >>> mesh = AbstractMesh((8,), ("data",), axis_types=(AxisType.Auto,))
    >>> def loss(w, x):
    ...     return (w * x).mean()
    >>> def gradient(w, x):
    ...     return jax.lax.pmean(jax.grad(loss)(w, x), "data")
    >>> step = jax.shard_map(gradient, mesh=mesh, in_specs=(P(), P("data")), out_specs=P())
    >>> [(found.kind, found.axes, found.size) for found in check_collectives(step, 2.0, np.ones(8))]
    [('mean', ('data',), 8)]
    """
    check_callable(fun, "check_collectives")
    if report not in _REPORTS:
        raise ConfigurationError(
            f"report must be one of {', '.join(map(repr, _REPORTS))}, but is {report!r}"
        )
    found = repeated_sums(jax.make_jaxpr(lambda args: fun(*args, **kwargs))(args))
    if found and report == "raise":
        raise CollectiveError("\n".join(map(str, found)))
    for each in found if report == "warn" else ():
        warnings.warn(str(each), CollectiveWarning, stacklevel=2)
    return found
