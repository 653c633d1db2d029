"""Loops, branches and calls with tangents, against `jax.jvp`; Hessian-vector products of them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax
from jax.sharding import PartitionSpec

import funcgrad
from funcgrad import rules as _rules  # noqa: F401 -- fills the registry
from funcgrad._forward_trace import moved, pushed, settled
from funcgrad._tape import Options
from tests.comparing import Counted, assert_same, temporary_bytes

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.5, 1.5, -0.75])
V = jnp.asarray([1.0, -0.5, 0.25])
M = jnp.asarray([[0.5, -0.2, 0.1], [0.3, 0.8, -0.4], [-0.6, 0.7, 0.2]])


# --- what a body may hold -------------------------------------------------------------------------


@jax.custom_jvp
def biased(x: Any, y: Any) -> Any:
    return x * y


# Not the derivative of its body, and of no symmetric Hessian: it tells directions apart.
biased.defjvp(lambda at, by: (biased(*at), by[0] * at[1] * 2 + by[1] * jnp.sin(at[0])))


def _nested_scan(x: Any, w: Any) -> Any:
    return lax.scan(lambda c, row: (jnp.sin(c * row) + w, c), x, jnp.stack([w, x]))[0]


def _jitted_map(x: Any, w: Any) -> Any:
    return jax.jit(lambda x: lax.map(lambda y: jnp.cos(y) * w[0], x))(x)


INNER: dict[str, Callable[[Any, Any], Any]] = {
    "nothing": lambda x, w: jnp.sin(x) * w,
    "a product": lambda x, w: jnp.tanh(x @ M) * w,
    "jit": jax.jit(lambda x, w: jnp.exp(-x * x) * w),
    "cond": lambda x, w: lax.cond(jnp.sum(x) > 0.3, lambda: jnp.sin(x) * w, lambda: x * x),
    "switch": lambda x, w: lax.switch(
        jnp.int32(jnp.sum(x) > 0), [lambda x: x, lambda x: w * x * x], x
    ),
    "scan": _nested_scan,
    "fori_loop": lambda x, w: lax.fori_loop(0, 2, lambda i, y: jnp.sin(y) * w + i, x),
    "a map in jit": _jitted_map,
    "remat": jax.checkpoint(lambda x, w: jnp.sin(jnp.sin(x) * w)),
    "custom_jvp": biased,
    "sort": lambda x, w: jnp.sort(x * w) * w,
    "pieces": lambda x, w: jnp.concatenate([x[1:] * w[0], jnp.split(w, 3)[1]]) * x,
    "a where": lambda x, w: jnp.where(x > 0.2, x * w, jnp.cumsum(x)),
}


def written_out(
    step: Callable[..., Any],
    init: Any,
    xs: Any,
    *,
    reverse: bool = False,
    length: int | None = None,
) -> Any:
    """`lax.scan` without a loop. The older line of JAX drops a custom_jvp rule from its scans where
    a gradient is differentiated again, and then disagrees with this."""
    count = jax.tree.leaves(xs)[0].shape[0] if length is None else length
    if count == 0:
        return lax.scan(step, init, xs)
    carry, ys = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = step(carry, jax.tree.map(lambda leaf, i=i: leaf[i], xs))
        ys.append(y)
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *(ys[::-1] if reverse else ys))
    return carry, stacked


class Loop(NamedTuple):
    """A scan in some of the forms that it may take."""

    inner: str
    length: int = 3
    reverse: bool = False
    unroll: int = 1
    late: bool = False  # a carry moves only from the second step on
    unused: bool = False  # a carry, a constant and an entry of xs that nothing depends on
    counts: bool = False  # integers in the carry, in xs and in ys
    collects: bool = True  # whether ys are used

    def __call__(self, x: Any, w: Any, xs: Any, scan: Any = None) -> Any:
        scan = scan or partial(lax.scan, unroll=self.unroll)

        def step(carry: Any, entry: Any) -> Any:
            y, late, unused, count = carry
            row, place = entry
            row = row + place.astype(row.dtype) if self.counts else row
            new = INNER[self.inner](y + row, w) + late
            return (new, y * w if self.late else late, unused, count + 1), (new * y, count, late)

        zero = jnp.zeros(3, x.dtype)
        first = (x, zero, w if self.unused else zero, jnp.int32(0))
        entries = (xs[: self.length], jnp.arange(self.length))
        last, ys = scan(step, first, entries, reverse=self.reverse)
        return last[:2], ys if self.collects else None, last[3]


loops = st.builds(
    Loop, st.sampled_from(sorted(INNER)), st.sampled_from([0, 1, 3]), st.booleans(),
    st.sampled_from([1, 2]), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
XS = jnp.stack([X, V, X * V])


# --- against jax.jvp ------------------------------------------------------------------------------


def leaves_of(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    return lambda *xs: jax.tree.leaves(function(*xs))


def compare(function: Callable[..., Any], values: Sequence[Any], tangents: Sequence[Any]) -> None:
    """Outputs and tangents are those of `jax.jvp`, to which a missing tangent is a zero."""
    flat = leaves_of(function)
    results, found = jax.jit(partial(pushed, flat, options=Options()))(values, tangents)
    pairs = zip(values, tangents, strict=True)
    dense = tuple(jnp.zeros_like(x) if t is None else t for x, t in pairs)
    theirs = jax.jit(partial(jax.jvp, flat))(values, dense)
    assert_same(results, theirs[0], factor=4)
    leaving = list(zip(found, theirs[1], strict=True))
    there = [pair for pair in leaving if pair[0] is not None]
    assert_same([a for a, _ in there], [b for _, b in there], factor=8)
    missing = [b for a, b in leaving if a is None and b.dtype != jax.dtypes.float0]
    assert not any(np.any(b) for b in missing)


@given(loops, st.sampled_from([(True, True, True), (True, False, False), (False, True, False)]))
def test_a_scan_has_the_tangents_of_jax(loop: Loop, given_: tuple[bool, ...]) -> None:
    values = (X, V, XS)
    tangents = [t if there else None for t, there in zip((V, X, XS[::-1]), given_, strict=True)]
    compare(lambda x, w, xs: (loop(x, w, xs), jnp.sum(x * w)), values, tangents)


@given(loops)
def test_the_hvp_of_a_scan_is_that_of_jax(loop: Loop) -> None:
    def loss(x: Any, w: Any, xs: Any, scan: Any = None) -> Any:
        floats = [y for y in jax.tree.leaves(loop(x, w, xs, scan)) if y.dtype == x.dtype]
        return sum((jnp.sum(y**2) for y in floats), jnp.sum((x * w) ** 2))

    def theirs(point: Any, vector: Any) -> Any:
        return jax.jvp(jax.grad(partial(loss, scan=written_out), (0, 1, 2)), point, vector)[1]

    point, vector = (X, V, XS), (V, X, XS[::-1])
    ours = jax.jit(partial(funcgrad.hvp, loss))(point, vector)
    assert_same(ours, jax.jit(theirs)(point, vector), factor=16)


@pytest.mark.parametrize("name", INNER)
def test_each_kind_of_body_is_read_forward_eagerly(name: str) -> None:
    loop = Loop(name, reverse=True, late=True, counts=True)

    def loss(x: Any, scan: Any = None) -> Any:
        return jnp.sum(loop(x, V, XS, scan)[0][0] ** 2)

    reference = jax.grad(partial(loss, scan=written_out))
    expected = jax.jit(lambda x, v: jax.jvp(reference, (x,), (v,))[1])(X, V)
    assert_same(funcgrad.hvp(loss, (X,), (V,)), expected, factor=16)


def test_complex_carries() -> None:
    def loss(x: Any) -> Any:
        turn = lax.complex(x, jnp.sin(x))
        last, ys = lax.scan(lambda z, _: (z * turn, jnp.exp(z * 0.3)), turn, None, length=3)
        return jnp.sum(jnp.abs(last) ** 2 + jnp.real(ys[1]) * jnp.imag(ys[2]))

    expected = jax.jit(lambda x, v: jax.jvp(jax.grad(loss), (x,), (v,))[1])(X, V)
    assert_same(jax.jit(lambda x, v: funcgrad.hvp(loss, (x,), (v,)))(X, V), expected, factor=8)


def test_half_precision_keeps_its_type() -> None:
    def loss(x: Any) -> Any:
        return jnp.sum(lax.scan(lambda c, _: (jnp.sin(c) * c, c), x, None, length=2)[1])

    x, v = X.astype(jnp.bfloat16), V.astype(jnp.bfloat16)
    expected = jax.jvp(jax.grad(loss), (x,), (v,))[1]
    assert_same(jax.jit(lambda x, v: funcgrad.hvp(loss, (x,), (v,)))(x, v), expected, factor=2)


# --- loops of unknown length ----------------------------------------------------------------------


def by_while(step: Callable[[Any], Any], start: Any, times: Any) -> Any:
    return lax.while_loop(lambda s: s[0] < times, lambda s: (s[0] + 1, step(s[1])), (0, start))[1]


def by_fori(step: Callable[[Any], Any], start: Any, times: int) -> Any:
    return lax.fori_loop(0, times, lambda _, y: step(y), start)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("times", [0, 1, 7])
def test_while_loops_are_read_forward(times: int, wrap: Any) -> None:
    def loss(loop: Any, x: Any, w: Any) -> Any:
        return jnp.sum(loop(lambda y: jnp.sin(y) * w + y @ M, x, times) ** 2)

    point, vector = (X, V), (V, X)
    ours = wrap(partial(funcgrad.hvp, partial(loss, by_while), checkpoints=3))(point, vector)
    known = jax.grad(partial(loss, by_fori), (0, 1))
    expected = jax.jit(lambda p, v: jax.jvp(known, p, v)[1])(point, vector)
    # Of no iterations the parameter has no part in it.
    assert_same(ours[0], expected[0], factor=16)
    assert_same(ours[1], expected[1], zero=times == 0, factor=16)


def test_a_condition_that_the_point_decides() -> None:
    """The number of iterations is that of the values; tangents have no say in it."""

    def halved(x: Any) -> Any:
        return lax.while_loop(lambda y: jnp.sum(y * y) > 0.1, lambda y: y * 0.5 * jnp.cos(y), x)

    compare(halved, (X,), (V,))


# --- what is shared, kept and refused -------------------------------------------------------------


def test_a_carry_that_moves_later_has_tangents_from_the_start() -> None:
    def step(a: Any, b: Any, c: Any) -> Any:
        return a, a * 2, b + c

    closed = jax.make_jaxpr(step)(X, X, X)
    first = moved(closed, [True, False, False], Options())
    whole = settled(closed, [True, False, False], (0, 3), Options())
    assert first is not None
    assert whole is not None
    assert (first.moving, first.reached) == ((True, False, False), (True, True, False))
    assert (whole.moving, whole.reached) == ((True, True, True), (True, True, True))
    outside = settled(closed, [True, False, False], (0, 1), Options())
    assert outside is first


def test_a_body_is_traced_once() -> None:
    cell = Counted(lambda c, _: (jnp.sin(c) * c, None))
    loss = jax.jit(lambda x: jnp.sum(lax.scan(cell, x, None, length=3)[0]))
    for scale in (1.0, 2.0):
        funcgrad.hvp(loss, (X * scale,), (V,))
    assert cell.calls == 1


def test_loops_are_not_kept_twice() -> None:
    """What is stacked are the values and the tangents of one gradient."""
    size, steps = 64, 512

    def loss(x: Any) -> Any:
        return jnp.sum(lax.scan(lambda c, _: (jnp.sin(c), None), x, None, length=steps)[0])

    x = jnp.ones(size, jnp.float32)
    ours = temporary_bytes(lambda x, v: funcgrad.hvp(loss, (x,), (v,)), x, x)
    reverse = temporary_bytes(lambda x, v: funcgrad.vjp(funcgrad.grad(loss), x)[1](v), x, x)
    stack = 4 * size * steps
    assert 2 * stack <= ours <= 2.5 * stack
    assert reverse >= 1.4 * ours


@jax.custom_vjp
def clipped(x: Any) -> Any:
    return x**2


def _clipped_backward(x: Any, ct: Any) -> Any:
    return (jnp.clip(ct, -1, 1) * 2 * x,)


clipped.defvjp(lambda x: (clipped(x), x), _clipped_backward)  # the rule calls its function


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_a_custom_vjp_that_the_gradient_calls_is_of_reverse_mode(wrap: Any) -> None:
    bodies = {
        "call": lambda x: jnp.sum(clipped(x)),
        "scan": lambda x: jnp.sum(lax.scan(lambda c, _: (clipped(c), None), x, None, length=1)[0]),
        "cond": lambda x: jnp.sum(lax.cond(x[0] > 0, clipped, lambda x: x, x)),
        "while": lambda x: jnp.sum(by_while(clipped, x, 1)),
    }
    for loss in map(wrap, bodies.values()):
        results, tangents = pushed(lambda x, f=loss: [f(x)], [X], [V], Options())
        assert tangents is None
        assert_same(results[0], jnp.sum(X**2))
        ours = jax.jit(lambda x, v, f=loss: funcgrad.hvp(f, (x,), (v,)))(X, V)
        assert_same(ours, 2 * V)


def on_one_device(fun: Callable[..., Any]) -> Callable[..., Any]:
    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    return jax.shard_map(fun, mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec())


@pytest.mark.parametrize(
    "around",
    [
        jax.checkpoint, lambda f: jax.jit(jax.checkpoint(f)), lambda f: jax.checkpoint(jax.jit(f)),
        on_one_device, lambda f: jax.jit(on_one_device(f)), lambda f: on_one_device(jax.jit(f)),
    ],
    ids=["checkpoint", "in jit", "of jit", "shard_map", "shard_map in jit", "shard_map of jit"],
)  # fmt: skip
def test_a_body_without_forward_mode_hides_no_custom_vjp(around: Callable[..., Any]) -> None:
    def loss(x: Any) -> Any:
        cubed = jax.custom_jvp(lambda x: x**3)
        cubed.defjvp(lambda at, by: (at[0] ** 3, around(clipped)(at[0]) * by[0]))
        return jnp.sum(cubed(x))

    assert_same(funcgrad.hvp(loss, (X,), (4 * V,)), jnp.clip(4 * V, -1, 1) * 2 * X)


def test_a_custom_vjp_whose_function_the_gradient_does_not_call() -> None:
    @jax.custom_vjp
    def cubed(x: Any) -> Any:
        return x**3

    cubed.defvjp(lambda x: (x**3, x), lambda x, ct: (ct * 5 * x**2,))

    def loss(x: Any) -> Any:
        return jnp.sum(lax.scan(lambda c, _: (cubed(c), None), x, None, length=2)[0])

    expected = jax.jvp(jax.grad(loss), (X,), (V,))[1]
    ours = jax.jit(lambda x, v: funcgrad.hvp(loss, (x,), (v,)))(X, V)
    assert_same(ours, expected, factor=8)


@pytest.mark.parametrize("option", ["ignore", "honour"])
def test_custom_rules_in_loops_are_honoured_or_ignored(option: Any) -> None:
    def loss(rule: Any, x: Any, scan: Any = lax.scan) -> Any:
        return jnp.sum(scan(lambda c, _: (rule(c, x), c), x, None, length=2)[0])

    ours = jax.jit(
        lambda x, v: funcgrad.hvp(partial(loss, biased), (x,), (v,), custom_rules=option)
    )(X, V)
    rule = biased if option == "honour" else jnp.multiply
    expected = jax.jvp(jax.grad(partial(loss, rule, scan=written_out)), (X,), (V,))[1]
    assert_same(ours, expected, factor=8)


TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "vmap": lambda h: jax.vmap(h)(XS, XS[::-1]),
    "jax.grad": lambda h: jax.grad(lambda x: jnp.sum(h(x, V)))(X),
    "jax.jvp": lambda h: jax.jvp(lambda x: h(x, V), (X,), (X,))[1],
    "funcgrad.grad": lambda h: funcgrad.grad(lambda x: jnp.sum(h(x, V)))(X),
    "hvp": lambda h: funcgrad.hvp(lambda x: jnp.sum(h(x, V)), (X,), (X,)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_products_nest(name: str) -> None:
    loop = Loop("cond")

    def loss(x: Any) -> Any:
        return jnp.sum(loop(x, V, XS)[0][0] ** 2)

    def ours(x: Any, v: Any) -> Any:
        return funcgrad.hvp(loss, (x,), (v,))

    def theirs(x: Any, v: Any) -> Any:
        return jax.jvp(jax.grad(loss), (x,), (v,))[1]

    results = [jax.jit(lambda h=h: TRANSFORMS[name](h))() for h in (ours, theirs)]
    assert_same(*results, factor=32)


def test_shardings_of_a_jitted_body_hold_for_its_tangents() -> None:
    home = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    placed = jax.jit(lambda x, y: (jnp.sin(x) * y, y), in_shardings=home, out_shardings=home)
    compare(placed, (X, V), (V, None))
    donated = jax.jit(jnp.sin, donate_argnums=0)
    results, tangents = pushed(leaves_of(donated), [X], [V], Options())
    assert_same((results, tangents), ([jnp.sin(X)], [jnp.cos(X) * V]))
    assert not X.is_deleted()


def test_strong_zeros_hold_in_bodies() -> None:
    def loss(x: Any) -> Any:
        root = jax.jit(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0))
        return jnp.sum(lax.scan(lambda c, _: (root(c) ** 2, None), x, None, length=2)[0] ** 2)

    x = jnp.asarray([0.0, 4.0])
    plain, strong = (
        jax.jit(lambda x, s=s: funcgrad.hvp(loss, (x,), (x + 1,), strong_zeros=s))(x)
        for s in (False, True)
    )
    assert np.isnan(np.asarray(plain)[0])
    assert np.isfinite(np.asarray(strong)).all()
