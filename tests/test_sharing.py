"""Bodies of one structure share what was made of the first; any difference keeps them apart."""

import gc
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad import _sharing, _staging
from funcgrad._sharing import shared, structure
from funcgrad.rules.remat import Checkpoint
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7, 1.2], jnp.float32)
W = jnp.asarray([0.5, 1.5, -0.5], jnp.float32)


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


def program(function: Callable[..., Any], *args: Any) -> Any:
    """A jaxpr that JAX has not met: of a known function it would return the same object."""
    return jax.make_jaxpr(partial(function))(*args)


# --- what is shared -------------------------------------------------------------------------------


def by_scan(x: Any, w: Any) -> Any:
    return jnp.sum(lax.scan(lambda c, y: (jnp.sin(c * y), None), w, x)[0])


def by_fori(x: Any, w: Any) -> Any:
    return jnp.sum(lax.fori_loop(0, 3, lambda _, c: jnp.sin(c * x), w))


def by_while(x: Any, w: Any) -> Any:
    return jnp.sum(
        lax.while_loop(lambda c: jnp.all(c[0] < 3), lambda c: (c[0] + 1, c[1] * x), (0, w))[1]
    )


def by_cond(x: Any, w: Any) -> Any:
    return jnp.sum(lax.cond(x[0] > 0, lambda: jnp.sin(x * w), lambda: jnp.cos(x * w)))


def by_checkpoint(x: Any, w: Any) -> Any:
    return jnp.sum(jax.checkpoint(lambda y, z: jnp.sin(y * z))(x, w))


def by_jit(x: Any, w: Any) -> Any:
    return jnp.sum(jax.jit(lambda y, z: jnp.sin(y * z))(x, w))


@jax.custom_vjp
def sine(x: Any) -> Any:
    return jnp.sin(x)


sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),))
jitted_sine = jax.jit(sine)


def by_rule(x: Any, w: Any) -> Any:
    return jnp.sum(lax.scan(lambda c, y: (jitted_sine(c * y), None), w, x)[0])


def by_rule_alone(x: Any, w: Any) -> Any:
    return jnp.sum(lax.scan(lambda c, y: (sine(c * y), None), w, x)[0])


def by_tangent_rule(x: Any, w: Any) -> Any:
    return jnp.sum(lax.scan(lambda c, y: (jax.nn.relu(c + y * y), None), w, x)[0])


FRESH = [by_scan, by_fori, by_while, by_cond, by_jit, by_rule, by_rule_alone, by_tangent_rule]


@pytest.mark.parametrize("fun", FRESH)
def test_a_body_written_inside_a_function_is_transformed_once(built: Any, fun: Any) -> None:
    # A while loop is reversed from what a number of steps kept; so is JAX's by a scan.
    theirs = jax.grad(by_fori if fun is by_while else fun)
    funcgrad.grad(fun)(X, W)
    first = len(built)
    assert first > 0
    for scale in (1, 2, 3):
        ours = funcgrad.grad(fun)(scale * X, W)
        if fun is not by_while:
            assert_same(ours, theirs(scale * X, W))
    jax.jit(funcgrad.grad(fun))(X, W)
    assert len(built) == first


@pytest.mark.usefixtures("built")
def test_the_programs_of_a_shared_body_are_compiled_once() -> None:
    for _ in range(3):
        funcgrad.grad(by_checkpoint)(X, W)
    made = [e for body in _sharing._KEPT.values() for e in _staging._MADE.of(body).values()]
    (checkpoint,) = [entry for entry in made if isinstance(entry, Checkpoint)]
    assert checkpoint.forward._cache_size() == checkpoint.backward._cache_size() == 1


def test_two_equal_programs_are_one() -> None:
    first, second = program(by_scan, X, W), program(by_scan, X, W)
    assert first is not second
    assert structure(first) == structure(second)
    assert shared(second) is shared(first)
    assert shared(first) is shared(first)


# --- what is not ----------------------------------------------------------------------------------


def wired(x: Any, w: Any) -> Any:
    return lax.sub(x, w)


NAN = np.float32(np.nan)
APART: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "primitive": (lax.sin, lax.cos),
    "wiring": (wired, lambda x, w: wired(w, x)),
    "which input": (lambda x, _: lax.sin(x), lambda _, w: lax.sin(w)),
    "which output": (lambda x, w: (x, w), lambda x, w: (w, x)),
    "an output more": (lambda x: (x,), lambda x: (x, x)),
    "literal": (lambda x: x * 2, lambda x: x * 3),
    "the sign of a zero": (lambda x: x * np.float32(0), lambda x: x * np.float32(-0.0)),
    "parameter": (lambda x: lax.integer_pow(x, 2), lambda x: lax.integer_pow(x, 3)),
    "inner body": (partial(lax.map, lax.sin), partial(lax.map, lax.cos)),
    "scope": (lax.sin, jax.named_scope("here")(lax.sin)),
    "precision": (lax.dot, partial(lax.dot, precision=lax.Precision.HIGHEST)),
}
TWO = {APART[name][0] for name in ("wiring", "which input", "which output", "precision")}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART)
def test_programs_that_differ_are_told_apart(one: Any, other: Any) -> None:
    args = (X, W) if one in TWO else (X,)
    first, again, apart = (structure(program(fun, *args)) for fun in (one, one, other))
    assert first == again is not None
    assert first != apart


def test_types_are_part_of_a_structure() -> None:
    def types(x: Any) -> Any:
        return structure(program(lax.sin, x))

    assert types(X) == types(2 * X)
    others = [X[:2], X.astype(jnp.float16), 1.0]
    assert len({types(x) for x in [X, *others]}) == 4


def test_a_nan_equals_itself() -> None:
    assert structure(program(lambda x: x * NAN, X)) == structure(program(lambda x: x * NAN, X))


def test_rules_of_a_user_are_told_apart() -> None:
    def ruled(factor: float) -> Any:
        @jax.custom_vjp
        def fun(x: Any) -> Any:
            return x * 2

        fun.defvjp(lambda x: (x * 2, None), lambda _, ct: (ct * factor,))
        return lambda x, w: jnp.sum(lax.scan(lambda c, y: (fun(c * y), None), w, x)[0])

    for factor in (1.0, 5.0, 2.0):
        ours, theirs = (m.grad(ruled(factor))(X, W) for m in (funcgrad, jax))
        assert_same(ours, theirs)


# --- what is kept ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("built")
def test_a_program_that_holds_arrays_equals_none_and_is_not_kept() -> None:
    def body() -> Any:
        factor = X * 2
        return jax.make_jaxpr(lambda x: x * factor)(X)

    closed = body()
    assert closed.consts
    assert structure(closed) is None
    assert shared(closed) is closed
    assert not _sharing._KEPT
    gone = ref(closed)
    del closed
    gc.collect()
    assert gone() is None


def test_the_body_used_longest_ago_is_forgotten(
    built: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sharing, "REMEMBERED", 2)

    def gradient(power: int) -> None:
        funcgrad.grad(
            lambda x: lax.scan(lambda c, y: (c * lax.integer_pow(y, power), None), x[0], x)[0]
        )(X)

    for power in (2, 3, 2, 4):  # 2 is used again, so 3 is forgotten for 4
        gradient(power)
    assert (len(_sharing._KEPT), len(built)) == (2, 3)
    gradient(2)
    assert len(built) == 3
    gc.collect()
    gradient(3)
    assert len(built) == 4


# --- what stays each caller's own -----------------------------------------------------------------


def test_source_lines_are_those_of_each_call() -> None:
    def first(x: Any) -> Any:
        return lax.scan(lambda c, y: (jnp.sin(c * y), None), x[0], x)[0]

    def second(x: Any) -> Any:
        return lax.scan(lambda c, y: (jnp.sin(c * y), None), x[0], x)[0]

    for fun in (first, second):
        line = fun.__code__.co_firstlineno + 1
        assert f"test_sharing.py:{line}" in str(funcgrad.tape(fun, X))
        inside = [node.source for node in funcgrad.graph(fun, X, depth=2) if "sin" in node.name]
        assert inside
        assert {str(place).rsplit("/", 1)[-1] for place in inside} == {f"test_sharing.py:{line}"}


# --- what nobody else may keep --------------------------------------------------------------------


class Weighty(np.ndarray):
    """An array that can be watched."""


class Holder:
    """An object with data, and a method that uses them."""

    def __init__(self, weight: Any) -> None:
        self.weight = weight

    def apply(self, a: Any) -> Any:
        return a * np.float32(self.weight[0])


def called_back(function: Any, t: Any) -> Any:
    kind = jax.ShapeDtypeStruct((), jnp.float32)
    return jax.pure_callback(lambda a: np.asarray(function(a), np.float32).reshape(()), kind, t)


# Functions of a number that hold a weight, each in another way.


def by_callback(weight: Any) -> Any:
    return lambda x: x * called_back(lambda a: a * np.float32(weight[0]), 1.0)


def by_partial(weight: Any) -> Any:
    return lambda x: x * called_back(partial(np.multiply, weight), 1.0)


def by_method(weight: Any) -> Any:
    return lambda x: x * called_back(Holder(weight).apply, 1.0)


def by_object(weight: Any) -> Any:
    holder = Holder(weight)
    return lambda x: x * called_back(lambda a: holder.apply(a) + 0, 1.0)


def by_dictionary(weight: Any) -> Any:
    weights = {"w": weight}
    return lambda x: x * called_back(lambda a: a * np.float32(weights["w"][0]), 1.0)


def by_custom_vjp(weight: Any) -> Any:
    @jax.custom_vjp
    def fun(x: Any) -> Any:
        return jnp.sin(x)

    def backward(kept: Any, ct: Any) -> Any:
        return (ct * jnp.cos(kept) * np.float32(weight[0]),)

    fun.defvjp(lambda x: (jnp.sin(x), x), backward)
    return fun


def by_custom_jvp(weight: Any) -> Any:
    @jax.custom_jvp
    def fun(x: Any) -> Any:
        return jnp.sin(x)

    @fun.defjvp
    def _rule(primals: Any, tangents: Any) -> Any:
        return fun(*primals), tangents[0] * np.float32(weight[0])

    return fun


HOLDING = [
    by_callback, by_partial, by_method, by_object, by_dictionary, by_custom_vjp, by_custom_jvp,
]  # fmt: skip

# Functions of an array with a body in which a function of a number is called.
Body = Callable[[Any, Any], Any]
CALLING: dict[str, Body] = {
    "jit": lambda fun, x: jax.jit(lambda y: fun(y) * y)(x[0]),
    "scan": lambda fun, x: lax.scan(lambda c, y: (fun(c * y), None), x[0], x)[0],
    "while": lambda fun, x: lax.while_loop(
        lambda c: c[0] < 2, lambda c: (c[0] + 1, fun(c[1])), (0, x[0])
    )[1],
    "condition": lambda fun, x: lax.while_loop(
        lambda c: fun(c[0]) < c[0] - 1, lambda c: (c[0] + 1, c[1] * 2), (x[0], x[1])
    )[1],
    "branch": lambda fun, x: lax.cond(x[1] > 0, fun, jnp.sin, x[0]),
    "second branch": lambda fun, x: lax.cond(x[1] > 0, jnp.cos, fun, x[0]),
    "both branches": lambda fun, x: lax.cond(x[1] > 0, fun, fun, x[0]),
    "checkpoint": lambda fun, x: jax.checkpoint(lambda y: fun(jnp.sin(y)))(x[0]),
    "inner": lambda fun, x: jax.jit(
        jax.checkpoint(lambda y: lax.scan(lambda c, z: (jax.jit(fun)(c * z), None), y[0], y)[0])
    )(x),
    "batched by hand": lambda fun, x: _batched_by_hand(fun)(x[0]),
}


def _batched_by_hand(fun: Any) -> Any:
    whole: Any = jax.custom_batching.custom_vmap(lambda y: jnp.sin(fun(y)))
    return whole.def_vmap(lambda _size, _batched, y: (jnp.sin(jax.vmap(fun)(y)), True)) and whole


EACH = [("scan", holding) for holding in HOLDING] + [(name, by_custom_vjp) for name in CALLING]


@pytest.mark.parametrize(("name", "holding"), EACH)
def test_what_a_body_closes_over_is_not_kept_alive(name: str, holding: Any) -> None:
    def run() -> Any:
        weight: Any = np.ones(1).view(Weighty)
        fun = holding(weight)
        gradient = funcgrad.grad(lambda x: CALLING[name](fun, x))
        for transform in (lambda f: f, jax.jit):
            assert np.isfinite(transform(gradient)(X)).all()
        return ref(weight)

    gone = run()
    assert is_gone(gone)


@pytest.mark.parametrize("name", CALLING)
def test_what_a_body_closes_over_is_not_kept_alive_by_a_forward_mode(name: str) -> None:
    def run() -> Any:
        weight: Any = np.ones(1).view(Weighty)
        fun = by_custom_jvp(weight)
        for transform in (lambda f: f, jax.jit):
            product = transform(lambda x: funcgrad.hvp(lambda x: CALLING[name](fun, x), (x,), (x,)))
            assert np.isfinite(product(X)).all()
        return ref(weight)

    assert is_gone(run())


def is_gone(gone: Any) -> bool:
    """Whether nobody but JAX keeps an object alive."""
    jax.clear_caches()
    for _ in range(20):  # what a weak table held is found one pass later, and bodies are nested
        if gone() is None:
            return True
        gc.collect()
    return gone() is None


def test_a_rule_that_holds_data_is_kept_no_longer_than_jax_keeps_it() -> None:
    def run(transform: Any) -> Any:
        weight: Any = np.ones(1).view(Weighty)
        fun = by_custom_vjp(weight)
        transform(jax.jit(lambda x: fun(x) * x))(1.0)
        return ref(weight)

    for transform in (jax.grad, funcgrad.grad):
        gone = run(transform)
        for _ in range(3):
            gc.collect()
        assert gone() is None


def test_what_a_failed_call_recorded_is_not_kept_alive() -> None:
    def run(inner: Any) -> Any:
        weight: Any = np.ones(1).view(Weighty)

        def fails(x: Any) -> Any:
            held = by_custom_vjp(weight)(x)
            raise ValueError(inner(held))

        with pytest.raises(ValueError, match="Tracer"):
            funcgrad.grad(fails)(1.0)
        return ref(weight)

    inner = jax.jit(by_custom_vjp(np.ones(1)))  # its program knows the trace that met it first
    gone = run(inner)
    gc.collect()
    assert gone() is None


def test_the_policy_of_a_checkpoint_is_not_kept_alive(built: Any) -> None:
    del built
    names = jax.checkpoint_policies.save_only_these_names

    def run(policy: Any) -> Any:
        body = jax.checkpoint(lambda x: jnp.sin(jnp.sin(x)), policy=policy)
        funcgrad.grad(body)(1.0)

    def once() -> Any:
        weight: Any = np.ones(1).view(Weighty)
        run(lambda *_, **__: weight[0] > 0)
        return ref(weight)

    assert is_gone(once())
    (body,) = [body for body in _sharing._KEPT.values() if _staging._MADE.of(body)]
    before = len(_staging._MADE.of(body))
    for _ in range(3):
        run(names("a"))  # a new function each time, of one meaning
    assert len(_staging._MADE.of(body)) == before + 1


def test_a_body_that_holds_data_is_shared_with_itself(
    built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(_sharing, "structure", lambda body: asked.append(structure(body)))
    fun = jax.jit(by_custom_vjp(np.ones(1)))
    for scale in (1.0, 2.0, 3.0):
        funcgrad.grad(fun)(scale)
    assert len(built) == 1
    assert asked == [None]
