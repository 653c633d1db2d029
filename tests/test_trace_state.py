"""Recording leaves no state: not after an exception at any point, no tracer, no trace."""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad import _jaxcompat as compat
from funcgrad import _segments
from funcgrad._trace import TapeTrace
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)


@pytest.fixture(autouse=True)
def only_what_is_new() -> Iterator[None]:
    """The collector passes over what earlier tests left, which would take it a minute."""
    gc.freeze()
    yield
    gc.unfreeze()


def current_trace() -> Any:
    with compat.take_current_trace() as trace:
        return trace


class BoomError(Exception):
    """An exception of the user's own."""


def explode(*_: Any) -> Any:
    raise BoomError


@jax.custom_vjp
def bad_backward(x: Any) -> Any:
    return x * 2


bad_backward.defvjp(lambda x: (x * 2, None), explode)


@jax.custom_vjp
def bad_forward(x: Any) -> Any:
    return x * 2


bad_forward.defvjp(explode, explode)


@jax.custom_jvp
def bad_tangent(x: Any) -> Any:
    return x * 2


bad_tangent.defjvp(explode)

EXPLODING: dict[str, Callable[[Any], Any]] = {
    "at once": explode,
    "after some steps": lambda x: explode(jnp.sin(x) * 2),
    "inside jit": lambda x: jax.jit(explode)(jnp.sin(x)),
    "inside vmap": lambda x: jnp.sum(jax.vmap(explode)(x)),
    "inside scan": lambda x: lax.scan(explode, x, None, length=2)[0],
    "inside cond": lambda x: lax.cond(True, explode, explode, x),
    "inside our gradient": funcgrad.grad(explode),
    "inside jax's gradient": jax.grad(explode),
    "in a backward rule": lambda x: jnp.sum(bad_backward(x)),
    "in a forward rule": lambda x: jnp.sum(bad_forward(x)),
    "in a tangent rule": lambda x: jnp.sum(bad_tangent(x)),
    "in a rule inside jit": lambda x: jnp.sum(jax.jit(bad_backward)(x)),
}


@pytest.mark.parametrize("fun", EXPLODING.values(), ids=EXPLODING)
def test_an_exception_of_the_user_leaves_no_state(fun: Callable[[Any], Any]) -> None:
    before = current_trace()
    for transformed in (funcgrad.grad(fun), jax.jit(funcgrad.grad(fun))):
        with pytest.raises(BoomError):
            transformed(X)
        assert current_trace() is before
        assert_same(funcgrad.grad(lambda x: jnp.sum(x**2))(X), 2 * X)


def test_a_tracer_that_escapes_is_dead() -> None:
    kept: list[Any] = []

    def keeping(x: Any) -> Any:
        kept.append(x)
        return x * 2

    funcgrad.grad(keeping)(2.0)
    with pytest.raises(jax.errors.UnexpectedTracerError):
        jnp.sin(kept[0])


def rich(x: Any) -> Any:
    inner = jax.jit(lambda y: jnp.sum(jnp.tanh(y) * y))
    return inner(x) + jnp.sum(jax.vmap(jax.nn.silu)(x)) + funcgrad.grad(inner)(x)[0]


def test_nothing_leaks() -> None:
    with jax.checking_leaks():
        ours = funcgrad.grad(rich)(X)
        staged = jax.jit(funcgrad.grad(rich))(X)
        _, pullback = jax.jit(lambda x: funcgrad.vjp(rich, x))(X)
    assert_same(ours, jax.grad(rich)(X))
    assert_same((ours, ours), (staged, pullback(jnp.float32(1))[0]))


def test_a_leak_would_be_found() -> None:
    kept: list[Any] = []

    def leaking(x: Any) -> Any:
        kept.append(x * 2)
        return x

    with jax.checking_leaks(), pytest.raises(Exception, match="Leaked"):
        jax.jit(funcgrad.grad(leaking))(2.0)


def test_no_trace_stays_alive() -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(thing, TapeTrace) for thing in gc.get_objects())

    before = alive()
    funcgrad.grad(rich)(X)
    jax.jit(funcgrad.grad(rich))(X)
    with pytest.raises(BoomError):
        funcgrad.grad(EXPLODING["inside jit"])(X)
    assert alive() <= before


def test_no_array_stays_alive() -> None:
    def alive() -> int:
        gc.collect()
        return len(jax.live_arrays())

    def fun(x: Any) -> Any:
        for _ in range(5):
            x = jnp.tanh(1.1 * x)
        return jnp.sum(jax.jit(lambda y: jnp.sin(y) * y)(x))

    for _ in range(2):  # what JAX and the table of segments cache is cached now
        funcgrad.grad(fun)(X)
    before = alive()
    funcgrad.grad(fun)(X)
    assert alive() <= before
    _, pullback = funcgrad.vjp(fun, X)
    assert alive() > before  # a pullback does keep values
    del pullback, _
    assert alive() <= before


def test_threads_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _segments, "REMEMBERED", 3
    )  # so that they also forget segments all the time
    sizes = [1 + i % 5 for i in range(40)]

    def work(offset: int) -> list[Any]:
        points = [jnp.full(size, 0.1 * offset, jnp.float32) for size in sizes]
        return [funcgrad.grad(lambda x: jnp.sum(lax.sin(x) * x))(point) for point in points]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(1, 5)))
    for offset, gradients in enumerate(results, 1):
        value = np.sin(0.1 * offset) + 0.1 * offset * np.cos(0.1 * offset)
        for size, gradient in zip(sizes, gradients, strict=True):
            np.testing.assert_allclose(gradient, np.full(size, value), rtol=1e-5)


def test_without_jit() -> None:
    expected = jax.grad(rich)(X)
    with jax.disable_jit():
        assert_same(funcgrad.grad(rich)(X), expected)
