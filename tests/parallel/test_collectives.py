"""Sums over devices that are taken twice are found, and right programs pass, without devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

import funcgrad
from funcgrad._errors import CollectiveError, ConfigurationError, GradientTypeError
from funcgrad.parallel import CollectiveWarning, check_collectives

P = PartitionSpec
Body = Callable[[Any, Any], Any]
X, W = np.ones((24, 3), np.float32), np.ones(3, np.float32)
MESH = AbstractMesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)


def mapped(body: Body, typed: bool, out: Any = None, w: Any = None, x: Any = None) -> Any:
    specs = (P() if w is None else w, P("data") if x is None else x)
    return jax.shard_map(
        body, mesh=MESH, in_specs=specs, out_specs=P() if out is None else out, check_vma=typed
    )


def found(body: Body, typed: bool, **specs: Any) -> list[tuple[str, tuple[str, ...], int]]:
    return [
        (each.kind, each.axes, each.size)
        for each in check_collectives(mapped(body, typed, **specs), W, X)
    ]


def loss(w: Any, x: Any) -> Any:
    return jnp.mean((x @ w) ** 2)


def averaged(w: Any, x: Any) -> Any:
    return lax.pmean(loss(w, x), "data")


def summed(w: Any, x: Any) -> Any:
    return lax.psum(loss(w, x), "data")


def copy(w: Any) -> Any:
    return lax.pcast(w, "data", to="varying")


def mean(tree: Any) -> Any:
    return lax.pmean(tree, "data")


def total(tree: Any) -> Any:
    return lax.psum(tree, "data")


grad: Any = funcgrad.grad
TYPED, UNTYPED, BOTH = (True,), (False,), (True, False)
MEAN, SUM = ("mean", ("data",), 4), ("sum", ("data",), 4)


def scanned(gradient: Body, collect: Callable[[Any], Any]) -> Body:
    """Descent in a loop."""

    def body(w: Any, x: Any) -> Any:
        return lax.scan(lambda w, _: (w - 0.1 * collect(gradient(w, x)), None), w, length=3)[0]

    return body


def until_small(collect: Callable[[Any], Any]) -> Body:
    def body(w: Any, x: Any) -> Any:
        def step(w: Any) -> Any:
            return w - collect(grad(loss)(copy(w), x))

        return lax.while_loop(lambda w: jnp.sum(w) > 1, step, w)

    return body


def either(first: Body, second: Body) -> Body:
    return lambda w, x: lax.cond(jnp.sum(w) > 0, first, second, w, x)


def norm(w: Any, x: Any) -> Any:
    """A loss that is no sum of the devices'."""
    return jnp.sqrt(total(jnp.sum((x @ w) ** 2)))


def regular(w: Any, x: Any) -> Any:
    return loss(w, x) + 0.1 * jnp.sum(w**2)


def standardized(w: Any, x: Any) -> Any:
    """With statistics of all devices."""
    h = x @ w
    return jnp.mean(jnp.tanh(h - mean(jnp.mean(h))) ** 2)


def counted(w: Any, x: Any) -> Any:
    """A mean by hand, over examples that were counted by a sum of ones."""
    examples = total(jnp.ones(()) * x.shape[0])
    return total(grad(lambda w: jnp.sum((x @ w) ** 2))(copy(w))) / examples


# --- what is wrong, and its twin ------------------------------------------------------------------

WRONG: dict[str, tuple[Any, Body, tuple[Any, ...]]] = {
    "the mean of a summed gradient": (TYPED, lambda w, x: mean(grad(loss)(w, x)), (MEAN,)),
    "by jax": (TYPED, lambda w, x: mean(jax.grad(loss)(w, x)), (MEAN,)),
    "of a regular loss": (TYPED, lambda w, x: mean(grad(regular)(w, x)), (MEAN,)),
    "of a standardized loss": (TYPED, lambda w, x: mean(grad(standardized)(w, x)), (MEAN,)),
    "the sum of a summed gradient": (TYPED, lambda w, x: total(grad(loss)(w, x)), (SUM,)),
    "the sum of the mean's": (BOTH, lambda w, x: total(grad(averaged)(w, x)), (SUM,)),
    "the sum of the sum's": (BOTH, lambda w, x: total(grad(summed)(w, x)), (SUM,)),
    "its sum by jax": (BOTH, lambda w, x: total(jax.grad(averaged)(w, x)), (SUM,)),
    "a sum of a sum": (BOTH, lambda w, x: total(total(grad(loss)(copy(w), x))), (SUM,)),
    "a mean of a sum": (BOTH, lambda w, x: mean(total(grad(loss)(copy(w), x))), (MEAN,)),
    "a sum of a mean": (BOTH, lambda w, x: total(mean(loss(w, x))), (SUM,)),
    "a sum of parameters": (BOTH, lambda w, _: total(w), (SUM,)),
    "the sum of a norm's": (UNTYPED, lambda w, x: total(grad(norm)(w, x)), (SUM,)),
    "in a loop": (TYPED, scanned(grad(loss), mean), (MEAN,)),
    "twice in a loop": (BOTH, until_small(lambda g: total(total(g))), (SUM,)),
    "in a branch": (BOTH, either(lambda w, x: total(averaged(w, x)), averaged), (SUM,)),
    "jitted": (TYPED, lambda w, x: mean(grad(jax.jit(loss))(w, x)), (MEAN,)),
    "jitted, all of it": (TYPED, jax.jit(lambda w, x: mean(grad(loss)(w, x))), (MEAN,)),
    "checkpointed": (TYPED, lambda w, x: mean(grad(jax.checkpoint(loss))(w, x)), (MEAN,)),
    "over two axes": (
        UNTYPED, lambda w, x: lax.psum(loss(w, x), ("data", "model")), (("sum", ("model",), 2),)
    ),
    "of what was gathered": (
        BOTH, lambda w, x: total(loss(w, lax.all_gather(x, "data", tiled=True))), (SUM,)
    ),
    "of the largest": (BOTH, lambda w, x: total(lax.pmax(loss(w, x), "data")), (SUM,)),
}  # fmt: skip
RIGHT: dict[str, tuple[Any, Body]] = {
    "the mean of copies'": (BOTH, lambda w, x: mean(grad(loss)(copy(w), x))),
    "by jax": (BOTH, lambda w, x: mean(jax.grad(loss)(copy(w), x))),
    "of a regular loss": (BOTH, lambda w, x: mean(grad(regular)(copy(w), x))),
    "of a standardized loss": (BOTH, lambda w, x: mean(grad(standardized)(copy(w), x))),
    "the sum of copies'": (BOTH, lambda w, x: total(grad(loss)(copy(w), x))),
    "a sum, divided": (TYPED, lambda w, x: grad(loss)(w, x) / lax.axis_size("data")),
    "a sum left to the types": (TYPED, grad(loss)),
    "the mean of the untyped": (UNTYPED, lambda w, x: mean(grad(loss)(w, x))),
    "of the mean": (TYPED, grad(averaged)),
    "the mean of the mean's": (BOTH, lambda w, x: mean(grad(averaged)(w, x))),
    "the mean of the sum's": (UNTYPED, lambda w, x: mean(grad(summed)(w, x))),
    "the mean of a norm's": (UNTYPED, lambda w, x: mean(grad(norm)(w, x))),
    "a mean of a mean": (BOTH, lambda w, x: mean(averaged(w, x))),
    "a mean of parameters": (BOTH, lambda w, _: mean(w)),
    "a mean of what was updated": (
        BOTH, lambda w, x: mean(w - 0.1 * total(grad(loss)(copy(w), x)))
    ),
    "a mean of the logarithm": (BOTH, lambda w, x: mean(jnp.log(summed(w, x)))),
    "in a loop": (BOTH, scanned(lambda w, x: grad(loss)(copy(w), x), mean)),
    "until small": (BOTH, until_small(mean)),
    "in a branch": (BOTH, either(averaged, lambda w, x: averaged(2 * w, x))),
    "jitted": (BOTH, lambda w, x: mean(grad(jax.jit(loss))(copy(w), x))),
    "checkpointed": (BOTH, lambda w, x: mean(grad(jax.checkpoint(loss))(copy(w), x))),
    "with a count": (BOTH, counted),
    "a count": (BOTH, lambda w, _: w / total(jnp.ones(()))),
    "a size": (BOTH, lambda w, _: w * total(1)),
    "of what depends on the device": (
        BOTH, lambda w, _: total(w * lax.axis_index("data").astype(w.dtype))
    ),
    "the largest": (BOTH, lambda w, x: lax.pmax(averaged(w, x), "data")),
    "descent": (
        TYPED, lambda w, x: funcgrad.descend(averaged, w, 0.1, 3, x).params
    ),
}  # fmt: skip


def cases(table: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(typed, *rest, id=f"{name}, {'typed' if typed else 'untyped'}")
        for name, (typings, *rest) in table.items()
        for typed in typings
    ]


@pytest.mark.parametrize(("typed", "body", "expected"), cases(WRONG))
def test_a_sum_taken_twice_is_found(typed: bool, body: Body, expected: Any) -> None:
    assert found(body, typed) == list(expected)


@pytest.mark.parametrize(("typed", "body"), cases(RIGHT))
def test_a_right_program_passes(typed: bool, body: Body) -> None:
    assert found(body, typed) == []


# --- other maps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", BOTH)
@pytest.mark.parametrize("module", [funcgrad, jax])
@pytest.mark.parametrize("body", [averaged, summed, norm])
def test_gradients_through_a_map_pass(module: Any, typed: bool, body: Body) -> None:
    whole = mapped(body, typed)
    assert check_collectives(jax.jit(module.value_and_grad(whole, (0, 1))), W, X) == ()

    def stacked(w: Any, x: Any) -> Any:
        return jnp.mean(mapped(lambda w, x: loss(w, x)[None], typed, P("data"))(w, x))

    assert check_collectives(jax.jit(module.grad(stacked)), W, X) == ()


@pytest.mark.parametrize("typed", BOTH)
def test_a_sum_of_equal_parts_that_is_scattered(typed: bool) -> None:
    def scatter(value: Any) -> Any:
        return lax.psum_scatter(value, "model", tiled=True)

    def of_its_own(w: Any, _x: Any) -> Any:
        return scatter(jnp.tile(w, 2) * lax.axis_index("model"))

    twin = found(of_its_own, typed, out=P("model"))
    assert twin == []
    w = np.ones(4, np.float32)
    (sum_of_equals,) = check_collectives(
        mapped(lambda w, _: scatter(w), typed, out=P("model")), w, X
    )
    assert sum_of_equals[:4] == ("reduce_scatter", "sum", ("model",), 2)
    assert "psum_scatter over 'model'" in sum_of_equals.place


def test_a_split_parameter_of_a_sum_without_types() -> None:
    """The transpose of an untyped psum is a psum of the loss' cotangent, alike on all devices."""

    def body(w: Any, x: Any) -> Any:
        return grad(lambda w: lax.psum(jnp.sum(x * w), "model"))(w)

    w, x = np.ones(4, np.float32), np.ones((4, 4), np.float32)
    specs = {"out": P("model"), "w": P("model"), "x": P(None, "model")}
    (wrong,) = check_collectives(mapped(body, False, **specs), w, x)
    assert wrong[1:4] == ("sum", ("model",), 2)
    assert check_collectives(mapped(body, True, **specs), w, x) == ()
    halved = mapped(lambda w, x: body(w, x) / 2, False, **specs)
    assert check_collectives(halved, w, x) == ()


def test_groups_of_devices_are_counted_apart() -> None:
    groups = [[0, 1], [2, 3]]
    wrong = found(lambda w, _: lax.psum(w, "data", axis_index_groups=groups), False)
    assert wrong == [("sum", ("data",), 2)]
    assert found(lambda w, x: lax.psum(loss(w, x), "data", axis_index_groups=groups), False) == []


def test_a_map_in_a_map() -> None:
    def over_model(value: Any) -> Any:
        return jax.shard_map(
            lambda v: lax.psum(v, "model"), in_specs=P(), out_specs=P(), axis_names={"model"}
        )(value)

    def outer(w: Any, x: Any) -> Any:
        return total(over_model(loss(w, x)))

    run = jax.shard_map(
        outer, mesh=MESH, in_specs=(P(), P("data")), out_specs=P(), axis_names={"data"}
    )
    assert [each[1:4] for each in check_collectives(run, W, X)] == [("sum", ("model",), 2)]


def test_a_program_without_a_mesh_passes() -> None:
    assert check_collectives(grad(loss), W, X) == ()
    every = jax.vmap(lambda x: lax.psum(jnp.sum(x), "i") * lax.psum(1.0, "i"), axis_name="i")
    assert check_collectives(every, X) == ()


# --- what is returned -----------------------------------------------------------------------------


def wrong_step(w: Any, x: Any) -> Any:
    return lax.pmean({"b": grad(loss)(w, x), "w": grad(loss)(w, x)}, "data")


LINE = wrong_step.__code__.co_firstlineno + 1


def test_a_finding_says_where_and_what() -> None:
    (first,) = check_collectives(mapped(wrong_step, True), W, X)
    assert first.source == f"test_collectives.py:{LINE}"
    assert first.typed
    assert first.primitive == "psum_invariant"
    text = repr(first)
    assert text == f"<{first}>"
    assert text.startswith(f"<test_collectives.py:{LINE}, pmean over 'data': the value is a sum")
    assert "4 times too large" in text
    assert """lax.pcast(p, 'data', to="varying")""" in text
    with pytest.raises(AttributeError):
        first.size = 2  # type: ignore[misc]  # which is what is tested
    (untyped,) = check_collectives(mapped(lambda w, _: total(w), False), W, X)
    assert "check_vma=False the transpose of a psum is a psum" in untyped.hint


def test_shapes_are_enough() -> None:
    shapes = (jax.ShapeDtypeStruct(array.shape, array.dtype) for array in (W, X))
    assert len(check_collectives(mapped(wrong_step, True), *shapes)) == 1


def test_findings_as_warnings_and_errors() -> None:
    step = mapped(wrong_step, True)
    with pytest.warns(CollectiveWarning, match="pmean over 'data'") as warned:
        assert len(check_collectives(step, W, X, report="warn")) == 1
    assert warned[0].filename == __file__
    with pytest.raises(CollectiveError, match="pmean over 'data'"):
        check_collectives(step, W, X, report="raise")
    twin = mapped(averaged, True)
    assert check_collectives(twin, W, X, report="warn") == ()
    assert check_collectives(twin, W, X, report="raise") == ()


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigurationError, match="report must be one of 'return', 'warn', 'raise'"):
        check_collectives(loss, W, X, report="print")
    with pytest.raises(GradientTypeError, match="check_collectives"):
        check_collectives(3, W)  # type: ignore[arg-type]  # which is what is tested
