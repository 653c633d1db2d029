"""Convolutions of every configuration by the adjoint identity, and the functions built on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jax import lax

import funcgrad
from tests.comparing import assert_same

# --- every configuration --------------------------------------------------------------------------


class Setting(NamedTuple):
    """A convolution with two spatial axes, and the shapes that it takes."""

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    options: dict[str, Any]

    def convolve(self, x: Any, k: Any) -> Any:
        return lax.conv_general_dilated(x, k, **self.options)


LAYOUTS = (
    lax.ConvDimensionNumbers((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3)),
    lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)),
    lax.ConvDimensionNumbers((3, 0, 2, 1), (1, 3, 0, 2), (2, 1, 3, 0)),
    lax.ConvDimensionNumbers((1, 2, 0, 3), (2, 0, 3, 1), (3, 2, 1, 0)),
)


def placed(spec: Sequence[int], sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sizes[spec.index(axis)] for axis in range(len(spec)))


@st.composite
def settings_of_convolutions(draw: st.DrawFn) -> Setting:
    def pair(strategy: st.SearchStrategy[Any]) -> tuple[Any, Any]:
        return draw(strategy), draw(strategy)

    small = st.integers(1, 3)
    kind, groups = (
        draw(st.sampled_from(["none", "feature", "batch"])),
        draw(st.sampled_from([2, 3])),
    )
    features, batches = groups if kind == "feature" else 1, groups if kind == "batch" else 1
    inner = draw(st.integers(1, 2))
    outer = draw(st.integers(1, 2)) * max(features, batches)
    images = draw(st.integers(1, 2)) * batches
    layout = draw(st.sampled_from(LAYOUTS))
    setting = Setting(
        placed(layout.lhs_spec, (images, inner * features, *pair(st.integers(1, 5)))),
        placed(layout.rhs_spec, (outer, inner, *pair(small))),
        {
            "window_strides": pair(small),
            "padding": pair(st.tuples(st.integers(-1, 4), st.integers(-1, 4))),
            "lhs_dilation": pair(small),
            "rhs_dilation": pair(small),
            "dimension_numbers": layout,
            "feature_group_count": features,
            "batch_group_count": batches,
        },
    )
    try:
        arguments = np.zeros(setting.image), np.zeros(setting.kernel)
        shape = jax.eval_shape(setting.convolve, *arguments).shape
    except ValueError:  # more is cut off than there is
        assume(False)
    assume(0 not in shape)
    return setting


@given(settings_of_convolutions(), st.integers(0, 99))
def test_the_pullbacks_are_the_adjoints_exactly(setting: Setting, seed: int) -> None:
    """In small whole numbers every sum is exact, in any order."""
    random = np.random.default_rng(seed)

    def whole(shape: tuple[int, ...]) -> Any:
        return jnp.asarray(random.integers(-8, 9, shape), jnp.float32)

    x, k = whole(setting.image), whole(setting.kernel)
    y, pull = funcgrad.vjp(setting.convolve, x, k)
    ct = whole(y.shape)
    of_x, of_k = pull(ct)
    dx, dk = whole(x.shape), whole(k.shape)
    assert jnp.sum(of_x * dx) == jnp.sum(ct * setting.convolve(dx, k))
    assert jnp.sum(of_k * dk) == jnp.sum(ct * setting.convolve(x, dk))


# --- functions built on convolutions --------------------------------------------------------------


def array(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    value = random.uniform(-1, 1, shape)
    if dtype.startswith("complex"):
        value = value + 1j * random.uniform(-1, 1, shape)
    return jnp.asarray(value, dtype)


def patches(x: Any) -> Any:
    return lax.conv_general_dilated_patches(
        x, (3, 2), (2, 1), ((1, 2), (0, 1)), lhs_dilation=(2, 1), rhs_dilation=(1, 2)
    )


def unshared(x: Any, k: Any) -> Any:
    return lax.conv_general_dilated_local(x, k, (1, 1), "VALID", (2, 2))


def transposed(x: Any, k: Any) -> Any:
    return lax.conv_transpose(x, k, (2, 3), "SAME", rhs_dilation=(2, 1), transpose_kernel=True)


BUILT: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "convolve": (jnp.convolve, (array(6, dtype="complex64"), array(4, dtype="complex64"))),
    "convolve2d": (
        lambda a, b: jax.scipy.signal.convolve2d(a, b, mode="same"),
        (array(5, 4), array(3, 2)),
    ),
    "correlate": (
        lambda a, b: jax.scipy.signal.correlate(a, b, mode="valid"),
        (array(5, 4), array(3, 2)),
    ),
    "patches": (patches, (array(2, 3, 5, 6),)),
    "local": (unshared, (array(2, 3, 4, 3), array(5, 12, 3, 2))),
    "transposed": (transposed, (array(2, 4, 3, 5), array(3, 2, 4, 5))),
    "depthwise": (
        lambda x, k: lax.conv_general_dilated(x, k, (1,), "SAME", feature_group_count=4),
        (array(2, 4, 5), array(8, 1, 3)),
    ),
    "wider": (
        lambda x, k: lax.conv_general_dilated(
            x, k, (1,), "SAME", preferred_element_type=jnp.float32, precision="highest"
        ),
        (array(2, 3, 5, dtype="bfloat16"), array(4, 3, 3, dtype="bfloat16")),
    ),
}


def both_gradients(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    """Our gradients and JAX's, in compiled programs."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        y = jax.eval_shape(function, *arguments)
        ct = jax.tree.map(lambda leaf: array(*leaf.shape, dtype=str(leaf.dtype), seed=1), y)
        ours = jax.jit(lambda *args: funcgrad.vjp(function, *args)[1](ct))(*arguments)
        jaxs = jax.jit(lambda *args: jax.vjp(function, *args)[1](ct))(*arguments)
    return ours, jaxs


@pytest.mark.parametrize("name", BUILT)
def test_functions_built_on_convolutions(name: str) -> None:
    ours, jaxs = both_gradients(*BUILT[name])
    assert_same(ours, jaxs)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_convolutions_under_vmap(axes: tuple[Any, Any]) -> None:
    """A mapped kernel makes groups."""
    shape, kernel = (2, 3, 5), (4, 3, 2)
    x = array(*((2, *shape) if axes[0] == 0 else shape))
    k = array(*((2, *kernel) if axes[1] == 0 else kernel))

    def convolve(x: Any, k: Any) -> Any:
        return lax.conv_general_dilated(x, k, (2,), "SAME")

    def pulled(x: Any, k: Any) -> Any:
        y, pull = funcgrad.vjp(convolve, x, k)
        return pull(jnp.cos(y))

    ours = jax.vmap(pulled, axes)(x, k)
    for i in range(2):
        here = pulled(x[i] if axes[0] == 0 else x, k[i] if axes[1] == 0 else k)
        assert_same(jax.tree.map(lambda leaf, i=i: leaf[i], ours), here)


@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR", "REFLECT"])
def test_convolutions_of_flax(padding: str) -> None:
    nn = pytest.importorskip("flax.linen")
    module = nn.Conv(
        4, (3, 2), strides=(2, 1), kernel_dilation=(1, 2), padding=padding, feature_group_count=2
    )
    x = array(2, 5, 6, 4)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        variables = module.init(jax.random.key(0), x)
    assert_same(*both_gradients(module.apply, (variables, x)))


@pytest.mark.parametrize("transpose_kernel", [False, True])
def test_transposed_convolutions_of_flax(transpose_kernel: bool) -> None:
    nn = pytest.importorskip("flax.linen")
    module = nn.ConvTranspose(4, (3, 2), strides=(2, 1), transpose_kernel=transpose_kernel)
    x = array(2, 5, 6, 3)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        variables = module.init(jax.random.key(0), x)
    assert_same(*both_gradients(module.apply, (variables, x)))


@pytest.mark.parametrize("method", ["nearest", "cubic"])
def test_images_resized(method: str) -> None:
    ours, jaxs = both_gradients(
        lambda x: jax.image.resize(x, (1, 7, 4, 2), method), (array(1, 4, 6, 2),)
    )
    assert_same(ours, jaxs)
