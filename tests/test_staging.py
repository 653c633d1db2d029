"""Bodies are transformed once, keep little, run compiled, and know which cotangents are zero."""

import gc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcgrad
from funcgrad import _jaxcompat as compat
from funcgrad import _sharing, _staging
from funcgrad._staging import Origin, stage
from funcgrad._tape import Options
from tests.comparing import Counted, assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
W = jnp.asarray([[0.5, -0.2, 0.1], [0.3, 0.8, -0.4], [-0.6, 0.7, 0.2]], jnp.float32)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """An empty table of bodies; the choices of inputs for which one was transformed."""
    monkeypatch.setattr(_sharing, "_KEPT", type(_sharing._KEPT)())
    seen: list[Any] = []
    build = _staging._build

    def noting(closed: Any, needed: Any, options: Any) -> Any:
        seen.append(needed)
        return build(closed, needed, options)

    monkeypatch.setattr(_staging, "_build", noting)
    return seen


# --- once -----------------------------------------------------------------------------------------


def test_a_body_is_transformed_once_however_often_it_is_called(built: list[Any]) -> None:
    body = Counted(lambda x, w: jnp.tanh(w @ x))
    compiled = jax.jit(body)

    def fun(x: Any) -> Any:
        for _ in range(4):
            x = compiled(x, W)
        return jnp.sum(x)

    for _ in range(3):
        funcgrad.grad(fun)(X)
    jax.jit(funcgrad.grad(fun))(X)
    assert body.calls == 1  # the user's function is traced once
    assert built == [(True, False)]  # and its program transformed once


def test_another_choice_or_another_shape_is_transformed_anew(built: list[Any]) -> None:
    body = Counted(lambda x, w: jnp.tanh(w @ x))
    compiled = jax.jit(body)
    funcgrad.grad(lambda x: jnp.sum(compiled(x, W)))(X)
    funcgrad.grad(lambda w: jnp.sum(compiled(X, w)))(W)
    assert (body.calls, built) == (1, [(True, False), (False, True)])
    funcgrad.grad(lambda x: jnp.sum(compiled(x, W[:, :2])))(X[:2])
    assert (body.calls, len(built)) == (2, 3)
    funcgrad.grad(lambda x: jnp.sum(compiled(x, W)), custom_rules="ignore")(X)
    assert (body.calls, len(built)) == (2, 4)


def test_what_is_cached_dies_with_the_body() -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(thing, _staging.Staged) for thing in gc.get_objects())

    def once() -> None:
        funcgrad.grad(lambda x: jnp.sum(jax.jit(lambda y: jnp.sin(y) * 3)(x)))(X)

    once()
    jax.clear_caches()
    before = alive()
    once()
    jax.clear_caches()
    assert alive() <= before


# --- residuals ------------------------------------------------------------------------------------

INPUT, OUTPUT, RESIDUAL = Origin("input", 0), Origin("output", 0), Origin("residual", 0)
KEPT: dict[str, tuple[Callable[..., Any], tuple[Any, ...], list[Origin]]] = {
    "tanh keeps its output": (jnp.tanh, (X,), [OUTPUT]),
    "exp keeps its output": (jnp.exp, (X,), [OUTPUT]),
    "sin keeps its input": (jnp.sin, (X,), [INPUT]),
    "a linear map keeps nothing": (lambda x: 2 * x - x[::-1], (X,), []),
    "a product keeps both": (lambda x, y: x * y, (X, X), [INPUT, Origin("input", 1)]),
    "one value in between": (lambda x: jnp.sin(jnp.tanh(x)), (X,), [RESIDUAL]),
    "one value that two steps read": (lambda x: jnp.sin(x * x) * 2, (X,), [INPUT, RESIDUAL]),
    "an output that another step reads": (
        lambda x: (jnp.tanh(x), jnp.sin(jnp.tanh(x))),
        (X,),
        [OUTPUT, RESIDUAL],
    ),
    "a layer": (lambda x, w: jnp.tanh(w @ x), (X, W), [INPUT, Origin("input", 1), OUTPUT]),
    "what no output needs": (lambda x: (jnp.cos(x * x), x * 2)[1], (X,), []),
    "a constant": (lambda x: x * jnp.asarray([1.0, 2.0, 3.0], jnp.float32), (X,), []),
}


@pytest.mark.parametrize(("body", "args", "kept"), KEPT.values(), ids=KEPT)
def test_residuals_are_few(body: Any, args: tuple[Any, ...], kept: list[Origin]) -> None:
    closed = jax.make_jaxpr(body)(*args)
    staged = stage(closed, (True,) * len(args), Options())
    assert set(staged.kept()) == set(kept)
    assert staged.residuals == sum(origin.kind == "residual" for origin in kept)
    compiled = jax.jit(body)
    cotangent = jax.tree.map(jnp.ones_like, compiled(*args))
    ours, theirs = (m.vjp(compiled, *args)[1](cotangent) for m in (funcgrad, jax))
    assert_same(ours, theirs)


def test_an_operand_that_is_not_differentiated_keeps_nothing_alive() -> None:
    closed = jax.make_jaxpr(lambda x, w: jnp.tanh(w @ x))(X, W)
    staged = stage(closed, (True, False), Options())
    assert set(staged.kept()) == {Origin("input", 1), OUTPUT}


def test_the_tape_of_a_call_holds_each_value_once() -> None:
    _, pullback = funcgrad.vjp(jax.jit(lambda x: jnp.sin(x) * jnp.cos(x) * jnp.exp(x)), X)
    leaves = jax.tree.leaves(pullback)
    assert len({id(leaf) for leaf in leaves}) == len(leaves)


def test_a_body_that_returns_an_input_or_a_constant() -> None:
    fun = jax.jit(lambda x: (x, jnp.ones(2, jnp.float32), jnp.sin(x), x))
    output, pullback = funcgrad.vjp(fun, X)
    _, theirs = jax.vjp(fun, X)
    cotangent = (X, jnp.ones(2, jnp.float32), X, 2 * X)
    assert_same(pullback(cotangent), theirs(cotangent))
    assert_same(output, fun(X))


# --- zeros ----------------------------------------------------------------------------------------


def test_a_zero_cotangent_meets_no_infinite_slope() -> None:
    def fun(x: Any) -> Any:
        return jax.jit(lambda y: (jnp.sin(y), jnp.sqrt(y)))(x)[0]

    assert float(jax.grad(fun)(0.0)) == 1
    assert float(funcgrad.grad(fun)(0.0)) == 1
    assert float(funcgrad.grad(jax.jit(fun))(0.0)) == 1
    assert float(jax.jit(funcgrad.grad(fun))(0.0)) == 1
    other = funcgrad.grad(lambda x: jax.jit(lambda y: (jnp.sin(y), jnp.sqrt(y)))(x)[1])(0.0)
    assert np.isinf(other)  # the slope is there when it is asked for


def test_outputs_that_carry_no_gradient() -> None:
    fun = jax.jit(lambda x: (jnp.argmax(x), jnp.floor(x), x * 2))
    ours = funcgrad.grad(lambda x: jnp.sum(fun(x)[2] * fun(x)[1]) + fun(x)[2][fun(x)[0]])(X)
    theirs = jax.grad(lambda x: jnp.sum(fun(x)[2] * fun(x)[1]) + fun(x)[2][fun(x)[0]])(X)
    assert_same(ours, theirs)


# --- options of jit -------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [jnp.sin, jnp.tanh, lambda x: jnp.sin(jnp.tanh(x))])
def test_donated_arguments(body: Any) -> None:
    donating = jax.jit(body, donate_argnums=0)

    def fun(x: Any) -> Any:
        y = x * x
        return jnp.sum(jnp.cos(y)) + jnp.sum(donating(y))

    expected = jax.grad(lambda x: jnp.sum(jnp.cos(x * x)) + jnp.sum(body(x * x)))(X)
    assert_same(funcgrad.grad(fun)(X), expected)
    point = X * 1
    assert_same(
        funcgrad.grad(lambda x: jnp.sum(donating(x)))(point),
        jax.grad(lambda x: jnp.sum(body(x)))(X),
    )
    assert_same(jax.jit(funcgrad.grad(fun))(X), expected)


def test_static_arguments_and_keywords() -> None:
    @partial(jax.jit, static_argnums=1, static_argnames="mode")
    def power(x: Any, n: int, *, scale: Any, mode: str) -> Any:
        return scale * x**n if mode == "up" else x

    def fun(x: Any) -> Any:
        return jnp.sum(power(x, 3, scale=x, mode="up") + power(x, 2, scale=x, mode="down"))

    assert_same(funcgrad.grad(fun)(X), jax.grad(fun)(X))


def test_the_names_of_inner_programs_are_kept() -> None:
    @jax.jit
    def inner(x: Any) -> Any:
        return jnp.sin(jnp.tanh(x))

    program = jax.make_jaxpr(funcgrad.grad(lambda x: jnp.sum(inner(x))))(X)
    names = [eqn.params["name"] for eqn in program.eqns if eqn.primitive.name == "jit"]
    assert names[0] == "inner"
    assert len(names) == 2  # its forward and its backward program
    assert [step.params["name"] for step in funcgrad.tape(inner, X)] == ["inner"]


# --- compiled -------------------------------------------------------------------------------------


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """One entry for each program that XLA compiles."""
    seen: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs, kwargs
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.clear_event_listeners()


def deep(x: Any) -> Any:
    for _ in range(6):
        x = jnp.tanh(x) * jnp.cos(x) + jnp.exp(-x * x)
    return jnp.sum(x)


def test_an_eager_gradient_of_a_compiled_function_runs_two_programs(
    compilations: list[str],
) -> None:
    point = jnp.linspace(0, 1, 37)  # a shape that no other test has compiled for
    one = jnp.ones((), point.dtype)
    fun = jax.jit(deep)
    compilations.clear()
    _, pullback = funcgrad.vjp(fun, point)
    assert len(compilations) == 1
    pullback(one)
    assert len(compilations) == 2
    funcgrad.vjp(fun, 2 * point)[1](one)
    compilations.clear()
    funcgrad.vjp(fun, point)[1](one)
    assert not compilations


def test_without_jit_every_operation_is_compiled(compilations: list[str]) -> None:
    point = jnp.linspace(0, 1, 41)
    compilations.clear()
    funcgrad.grad(deep)(point)
    assert len(compilations) > 5


def test_a_body_of_bodies() -> None:
    inner = jax.jit(lambda x: jnp.sin(jnp.tanh(x)))
    middle = jax.jit(lambda x: inner(x) * inner(x * 2))
    outer = jax.jit(lambda x: jnp.sum(middle(x) + inner(x)))
    assert_same(funcgrad.grad(outer)(X), jax.grad(outer)(X))
    assert_same(jax.jit(funcgrad.hessian(outer))(X), jax.jit(jax.hessian(outer))(X), factor=4)


def test_a_kept_body_is_opaque_to_the_tree() -> None:
    _, pullback = funcgrad.vjp(jax.jit(jnp.sin), X)
    (step,) = pullback.tape.steps
    assert isinstance(step.body.staged, compat.Opaque)
    assert [leaf is X for leaf in jax.tree.leaves(pullback)] == [True]
