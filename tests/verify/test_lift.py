"""The precision lift: a float32 program run in float64 is the same formula without its rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import funcgrad
from funcgrad.verify._lift import Unliftable, lift
from funcgrad.verify._rounding import widen

X = np.array([0.25, -0.75, 1.25])  # exact in any width
M = np.array([[2.0, 0.25, 0.125], [0.25, 1.5, -0.25], [0.125, 0.25, 1.75]])


def matrix(x: Any) -> Any:
    return jnp.asarray(M, x.dtype) + jnp.outer(x, x)


def over_devices(typed: bool) -> Callable[[Any], Any]:
    """A map over one device; over several: `tests/parallel/on_eight_devices_check.py`."""
    mesh = jax.make_mesh((1,), ("i",), axis_types=(AxisType.Auto,))
    body: Any = jax.shard_map(
        lambda x, y: lax.pmean(jnp.sum(jnp.sin(x) * y), "i") * lax.psum(x[0], "i"),
        mesh=mesh, in_specs=(P("i"), P()), out_specs=P(), check_vma=typed,
    )  # fmt: skip
    return lambda x: body(x, 1 / (2 + x))


# Of no literal that float32 rounds, so that the lifted program is the very same formula.
PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: jnp.sum(jnp.tanh(x) * jnp.exp(-x) / (1 + x * x)),
    "jit": jax.jit(lambda x: jnp.sum(jax.jit(jnp.sin)(x) ** 2)),
    "scan": lambda x: lax.scan(lambda c, k: (jnp.sin(c * k), c), x[0], x)[1].sum(),
    "reversed scan": lambda x: lax.scan(lambda c, k: (c * k, c), x[0], x, reverse=True)[0],
    "fori_loop": lambda x: lax.fori_loop(0, 5, lambda i, c: jnp.sin(c) * x + i, x).sum(),
    "while_loop": lambda x: lax.while_loop(
        lambda c: jnp.max(c) > 0.25, lambda c: 0.5 * c, x
    ).sum(),
    "cond": lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x).sum(),
    "checkpoint": jax.checkpoint(lambda x: jnp.sum(jnp.sin(jnp.sin(x)))),
    "custom_jvp": lambda x: jax.nn.relu(x).sum() + jax.nn.silu(x).sum(),
    "indexing": lambda x: jnp.sum(x[jnp.array([0, 2, 2])]) + x.at[1].set(3.0).sum(),
    "scatter": lambda x: (x.at[jnp.array([0, 0])].add(x[:2]).at[1].multiply(2.0) ** 2).sum(),
    "convolution": lambda x: jnp.convolve(x, x).sum(),
    "solve": lambda x: jnp.linalg.solve(matrix(x), x).sum(),
    "decompositions": lambda x: (
        jnp.linalg.slogdet(matrix(x))[1] + jnp.linalg.svd(matrix(x))[1].sum()
        + jnp.linalg.eigvalsh(matrix(x))[0]
    ),
    "fft": lambda x: jnp.abs(jnp.fft.fft(x)).sum(),
    "sorting": lambda x: (jnp.sort(x) * jnp.arange(3, dtype=x.dtype)).sum(),
    "reference": lambda x: jax.freeze(jax.new_ref(x)).sum(),
    "shard_map": over_devices(True),
    "untyped shard_map": over_devices(False),
    "cg": lambda x: jax.scipy.sparse.linalg.cg(lambda v: 4.0 * v + x * x * v, x)[0].sum(),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_lifted_program_is_the_program_in_float64(name: str, dtype: str) -> None:
    narrow = name in {"solve", "decompositions", "fft", "cg"} and dtype != "float32"
    if narrow:
        dtype = "float32"  # LAPACK and FFT have no narrower form
    program = jax.make_jaxpr(PROGRAMS[name])(jnp.asarray(X, dtype))
    with jax.enable_x64(True):
        x = jnp.asarray(X, "float64")
        (lifted,) = lift(program)(x)
        assert lifted.dtype == np.float64
        expected = PROGRAMS[name](x)
        np.testing.assert_allclose(lifted, expected, rtol=1e-5 if name == "cg" else 1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_our_gradient_of_it_is_that_of_jax_s_program(name: str) -> None:
    """JAX's gradient program in float32, lifted, against our gradient of the lifted function."""
    x = jnp.asarray(X, "float32")
    program, theirs = (jax.make_jaxpr(f)(x) for f in (PROGRAMS[name], _gradient(name)))
    with jax.enable_x64(True):
        ours = funcgrad.grad(lambda v: lift(program)(v)[0])(widen(x))
        np.testing.assert_allclose(ours, lift(theirs)(widen(x))[0], rtol=1e-9, atol=1e-12)


def _gradient(name: str) -> Any:
    # JAX cannot reverse a while loop
    return (funcgrad if name == "while_loop" else jax).grad(PROGRAMS[name])


def test_complex_numbers_widen() -> None:
    z = jnp.asarray(X + 0.5j * X[::-1], "complex64")
    program = jax.make_jaxpr(lambda z: jnp.sum(jnp.exp(z) * jnp.conj(z)))(z)
    with jax.enable_x64(True):
        (lifted,) = lift(program)(widen(z))
        assert lifted.dtype == np.complex128


def test_a_wrong_formula_shows_to_the_last_digit() -> None:
    """A slope that is off by 1e-6 is lost in float32 and plain when lifted."""

    @jax.custom_vjp
    def sine(x: Any) -> Any:
        return jnp.sin(x)

    sine.defvjp(lambda x: (sine(x), x), lambda x, ct: (ct * jnp.cos(x) * (1 + 1e-6),))
    x = jnp.float32(0.5)
    program = jax.make_jaxpr(jax.grad(sine))(x)
    with jax.enable_x64(True):
        (lifted,) = lift(program)(widen(x))
        error = abs(float(lifted) / np.cos(0.5) - 1)
    assert 5e-7 < error < 2e-6


def test_what_has_no_64_bit_form_says_why() -> None:
    program = jax.make_jaxpr(lambda x: jax.pure_callback(np.sin, x, x))(jnp.float32(1.0))
    with jax.enable_x64(True), pytest.raises(Unliftable, match="leaves the program"):
        lift(program)(1.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: lax.bitcast_convert_type(x, jnp.int32),
        lambda x: lax.bitcast_convert_type(lax.bitcast_convert_type(x, jnp.int32) + 1, x.dtype),
        lambda x: jnp.nextafter(x, jnp.asarray(2.0, x.dtype)),
    ],
    ids=["bits", "bits and back", "nextafter"],
)
def test_the_bits_are_those_of_the_narrow_number(function: Any) -> None:
    x = jnp.float32(1.25)
    program = jax.make_jaxpr(function)(x)
    with jax.enable_x64(True):
        (lifted,) = lift(program)(widen(x))
    np.testing.assert_array_equal(np.asarray(lifted), np.asarray(function(x)))
    assert lifted.dtype in (np.int32, np.float64)


def test_random_numbers_stay_those_of_the_narrow_program() -> None:
    def function(x: Any) -> Any:
        return x * jax.random.uniform(jax.random.key(0), (3,), jnp.float32).sum()

    x = jnp.float32(2.0)
    program = jax.make_jaxpr(function)(x)
    with jax.enable_x64(True):
        (lifted,) = lift(program)(widen(x))
    np.testing.assert_allclose(lifted, function(x), rtol=1e-6)
