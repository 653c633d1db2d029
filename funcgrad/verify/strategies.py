"""Hypothesis strategies for JAX: arrays, and pytrees like given ones, that find wrong gradients.

What is drawn is what breaks derivatives: zeros of either sign, ties, values next to a kink or to
the edge of a domain, large and tiny ones, several magnitudes in one array; and then ordinary
normal numbers. It is finite and never subnormal (XLA takes those for zero), and it shrinks to few
small round numbers among zeros. After an import of this module ``st.from_type(jax.Array)`` works.

Needs ``pip install "funcgrad[verify]"``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigurationError, GradientTypeError, GradientValueError
from ._draws import Draw, entries, number
from ._hypothesis import st
from ._kinds import COMPLEX, Kind, fit, kind_of
from ._leaves import leaf_like, moved

__all__ = ["arrays", "flax_params", "floats_for", "like", "neighbourhood", "shapes"]

PyTree = Any
Shape = tuple[int, ...]
# Few, because JAX compiles for each: none, one and several axes, of lengths one and more.
POOL: tuple[Shape, ...] = ((), (1,), (3,), (2, 3), (4, 1), (2, 1, 3))


def arrays(
    shape: int | Shape | st.SearchStrategy[Shape],
    dtype: Any = "float32",
    *,
    near: Sequence[Any] = (),
    within: tuple[float, float] | None = None,
) -> st.SearchStrategy[jax.Array]:
    """Arrays of a shape and dtype.

    Ten thousand entries and more take no more of Hypothesis' choices than thirty do.

    Args:
        shape: a shape, the length of a vector, or a strategy for shapes, such as `shapes`.
        dtype: float16, bfloat16, float32, float64, complex64, complex128, an integer or bool;
            those of 64 bits only while JAX has them switched on.
        near: constants where something happens: a kink, a clipping limit, an edge of the domain.
            Each is drawn, its two neighbours in the dtype, and numbers a little further off.
        within: the least and the greatest value; the bounds are drawn as those of `near` are.

    Returns:
        A strategy for `jax.Array`.

    Raises:
        GradientTypeError: there are no such arrays.
        GradientValueError: a constant or the interval does not fit the dtype.
        ConfigurationError: 64-bit numbers are switched off.

    >>> import hypothesis
    >>> positive = arrays((2, 3), "float32", within=(0.5, float("inf")))
    >>> settings = hypothesis.settings(max_examples=200, database=None, derandomize=True)
    >>> hypothesis.find(positive, lambda x: x[1, 1] > 1, settings=settings).shape
    (2, 3)
    """
    kind = kind_of(dtype, near, within)
    if isinstance(shape, st.SearchStrategy):
        return shape.flatmap(lambda drawn: _array(_shape(drawn), kind))
    return _array(_shape(shape), kind)


@st.composite
def _array(draw: Draw, shape: Shape, kind: Kind) -> jax.Array:
    size = int(np.prod(shape, dtype=np.int64))
    return jnp.asarray(entries(draw, size, kind).reshape(shape))


def _shape(shape: Any) -> Shape:
    axes = (shape,) if isinstance(shape, (int, np.integer)) else shape
    whole = isinstance(axes, (tuple, list)) and all(isinstance(n, (int, np.integer)) for n in axes)
    if not whole:
        raise GradientTypeError(
            f"a shape must be a tuple of lengths such as (2, 3), but is {shape!r}"
        )
    if any(n < 0 for n in axes):
        raise GradientValueError(f"a shape has no negative lengths, but is {shape!r}")
    return tuple(int(n) for n in axes)


def shapes(pool: Sequence[Shape] = POOL) -> st.SearchStrategy[Shape]:
    """Shapes from a small pool, since JAX compiles anew for each.

    Args:
        pool: the shapes, the simplest first.

    Returns:
        A strategy for shapes.

    Raises:
        GradientTypeError: one of them is no shape.
        GradientValueError: one has a negative length, or there is none.

    >>> import hypothesis
    >>> settings = hypothesis.settings(database=None, derandomize=True)
    >>> hypothesis.find(shapes(), lambda shape: len(shape) == 2, settings=settings)
    (2, 3)
    """
    found = [_shape(shape) for shape in pool]
    if not found:
        raise GradientValueError("shapes(pool) must hold at least one shape, but pool is empty")
    return st.sampled_from(found)


def floats_for(
    dtype: Any = "float32",
    *,
    near: Sequence[Any] = (),
    within: tuple[float, float] | None = None,
) -> st.SearchStrategy[Any]:
    """Python numbers that a dtype holds exactly.

    Args:
        dtype: as for `arrays`; of a complex one complex numbers are drawn.
        near: constants to come close to.
        within: the least and the greatest value.

    Returns:
        A strategy for numbers.

    Raises:
        GradientTypeError: there is no strategy for the dtype.
        GradientValueError: a constant or the interval does not fit the dtype.
        ConfigurationError: 64-bit numbers are switched off.

    >>> import hypothesis
    >>> settings = hypothesis.settings(database=None, derandomize=True)
    >>> hypothesis.find(floats_for("float16"), lambda x: x > 1.5, settings=settings)
    2.0
    """
    kind = kind_of(dtype, near, within)
    if kind.dtype.name in COMPLEX:
        return _array((), kind).map(complex)
    return number(kind).map(lambda value: np.asarray(fit(value, kind)).item())


def like(
    tree: PyTree,
    *,
    near: Sequence[Any] = (),
    within: tuple[float, float] | None = None,
    integers: str = "keep",
) -> st.SearchStrategy[PyTree]:
    """Pytrees like a given one: the same structure, and leaves of the same shapes and dtypes.

    So are drawn the parameters of a model: a Linen tree of parameters, an NNX state, a NamedTuple.

    Args:
        tree: a pytree of arrays, Python numbers and `jax.ShapeDtypeStruct`. Of floating leaves only
            shape and dtype count (`neighbourhood` stays close to the values).
        near: constants to come close to; a leaf leaves out those that its dtype cannot hold.
        within: the least and the greatest value of the real floating leaves.
        integers: what becomes of integer and boolean arrays: with "keep" they stay what they are,
            with "draw" they are drawn between the least and the greatest that is there. Where there
            is only a `jax.ShapeDtypeStruct`, integers from 0 to 3 are drawn, booleans and keys.
            Given keys, and leaves that are no arrays, stay.

    Returns:
        A strategy for such trees.

    Raises:
        GradientTypeError: there is no strategy for a leaf's dtype.
        GradientValueError: the interval does not fit a dtype, or `integers` is neither word.
        ConfigurationError: a `jax.ShapeDtypeStruct` is of 64 bits, which are switched off.

    >>> import hypothesis
    >>> trees = like({"w": jnp.ones((2, 2)), "steps": 7})
    >>> settings = hypothesis.settings(database=None, derandomize=True)
    >>> found = hypothesis.find(trees, lambda tree: tree["w"][0, 1] < 0, settings=settings)
    >>> found["w"].dtype, found["steps"]
    (dtype('float32'), 7)
    """
    if integers not in ("keep", "draw"):
        raise GradientValueError(f'integers must be "keep" or "draw", but is {integers!r}')
    leaves, treedef = jax.tree.flatten(tree)
    drawn = [leaf_like(leaf, tuple(near), within, integers == "draw") for leaf in leaves]
    return st.tuples(*drawn).map(lambda values: jax.tree.unflatten(treedef, values))


def neighbourhood(
    tree: PyTree, radius: float = 0.1, *, absolute: float | None = None
) -> st.SearchStrategy[PyTree]:
    """Pytrees near a given one.

    A leaf moves either relatively, each entry by at most `radius` times its size, so that zeros
    stay zeros, or absolutely, each entry by at most `absolute`. Steps are of every size below, down
    to the last digit; a failing tree shrinks to the given one.

    Args:
        tree: a pytree of arrays and Python numbers. Those that are neither floating nor complex
            stay as they are.
        radius: the greatest relative step.
        absolute: the greatest absolute step; that of `radius` if None; 0 for no such step.

    Returns:
        A strategy for such trees.

    Raises:
        GradientTypeError: a leaf has no values, or there is no strategy for its dtype.
        GradientValueError: `radius` or `absolute` is negative or not finite.

    >>> import hypothesis
    >>> close = neighbourhood({"w": jnp.array([1.0, 1000.0])}, 0.01, absolute=0)
    >>> settings = hypothesis.settings(database=None, derandomize=True)
    >>> hypothesis.find(close, lambda tree: True, settings=settings)["w"]
    Array([   1., 1000.], dtype=float32)
    """
    reach = radius if absolute is None else absolute
    for name, value in (("radius", radius), ("absolute", reach)):
        if not (np.isscalar(value) and np.isreal(value) and 0 <= value < float("inf")):
            raise GradientValueError(
                f"{name} must be a finite number of at least 0, but is {value!r}"
            )
    leaves, treedef = jax.tree.flatten(tree)
    drawn = [moved(leaf, float(radius), float(reach)) for leaf in leaves]
    return st.tuples(*drawn).map(lambda values: jax.tree.unflatten(treedef, values))


def flax_params(
    module: Any, *args: Any, near: Sequence[Any] = (), **kwargs: Any
) -> st.SearchStrategy[PyTree]:
    """The parameters of a Flax model.

    Args:
        module: a Linen module, or an NNX module.
        *args: for Linen, example inputs: what ``module.init`` takes after the key. Nothing is
            computed with them.
        near: constants to come close to.
        **kwargs: likewise.

    Returns:
        For Linen a strategy for what ``module.init`` returns; for NNX one for the state of its
        `nnx.Param`, which ``nnx.merge`` or ``nnx.update`` takes.

    Raises:
        GradientTypeError: `module` is neither.
        ConfigurationError: Flax is missing.

    >>> from flax import linen
    >>> import hypothesis
    >>> model = linen.Dense(3)
    >>> settings = hypothesis.settings(database=None, derandomize=True)
    >>> found = hypothesis.find(flax_params(model, jnp.ones((1, 2))), bool, settings=settings)
    >>> jax.tree.map(jnp.shape, found)
    {'params': {'bias': (3,), 'kernel': (2, 3)}}
    """
    try:
        from flax import linen, nnx  # noqa: PLC0415 -- Flax is optional
    except ImportError as error:
        raise ConfigurationError(
            f"flax_params needs Flax, which cannot be imported ({error}); "
            f'install it by pip install "funcgrad[flax]"'
        ) from error
    if isinstance(module, linen.Module):
        key = jax.random.key(0)
        return like(jax.eval_shape(lambda: module.init(key, *args, **kwargs)), near=near)
    if isinstance(module, nnx.Module) and not args and not kwargs:
        return like(nnx.state(module, nnx.Param), near=near)
    raise GradientTypeError(
        "flax_params takes a Linen module with example inputs, or an NNX module alone, "
        f"but received {type(module).__name__} with {len(args) + len(kwargs)} inputs"
    )


def __dir__() -> list[str]:
    return list(__all__)  # and not the parts that it is made of


st.register_type_strategy(jax.Array, arrays(shapes()))
