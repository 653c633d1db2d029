"""What the engine takes of JAX that is not plainly public still means what the engine thinks."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from funcgrad import _jaxcompat as compat
from funcgrad import _jaxprs as jaxprs

pytestmark = pytest.mark.usefixtures("strict_jax")

X = jnp.asarray([0.3, -0.7], jnp.float32)


# --- primitives -----------------------------------------------------------------------------------


def test_a_published_primitive_is_jax_s_own() -> None:
    assert compat.primitives.sin_p is lax.sin_p
    assert compat.primitives.jit_p is jax.extend.core.primitives.jit_p


def test_a_primitive_that_jax_lacks_is_one_stand_in() -> None:
    stand_in = compat.primitives.surely_missing_p
    assert stand_in.name == "surely_missing"
    assert compat.primitives.surely_missing_p is stand_in
    with pytest.raises(AttributeError):
        _ = compat.primitives.__wrapped__


def test_an_opaque_value_is_part_of_the_structure() -> None:
    def structure(x: float, letter: str) -> Any:
        return jax.tree.structure({"x": x, "opaque": compat.Opaque((letter, 3))})

    assert jax.tree.leaves({"x": 1.0, "opaque": compat.Opaque(("a", 3))}) == [1.0]
    assert structure(1.0, "a") == structure(2.0, "a")
    assert structure(1.0, "a") != structure(1.0, "b")
    assert hash(compat.Opaque((1,))) == hash(compat.Opaque((1,)))
    assert compat.Opaque(1) != 1
    assert repr(compat.Opaque("a")) == "Opaque('a')"


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(X, np.float32), (jnp.arange(2), jax.dtypes.float0), (jax.random.key(0), jax.dtypes.float0)],
)
def test_tangent_and_cotangent_types(value: Any, dtype: Any) -> None:
    aval = compat.typeof(value)
    for kind in (compat.tangent_type(aval), compat.cotangent_type(aval)):
        assert (kind.shape, kind.dtype) == (value.shape, dtype)
        zero = compat.zeros(kind)
        assert (zero.shape, zero.dtype) == (value.shape, dtype)
    assert compat.is_inexact(aval) == (dtype == np.float32)
    assert compat.is_float0(compat.zeros(kind)) == (dtype != np.float32)


def test_weak_types() -> None:
    weak, strong = compat.typeof(2.0), compat.typeof(jnp.asarray(2, float))
    assert weak.weak_type
    assert compat.strengthen(weak) == strong
    assert compat.zeros(weak).weak_type
    assert not compat.zeros(strong).weak_type
    assert compat.matching_weakness(jnp.asarray(2, float), weak).weak_type
    assert not compat.matching_weakness(jnp.asarray(2.0), strong).weak_type
    kept = jnp.asarray(2.0)
    assert compat.matching_weakness(kept, weak) is kept


@pytest.mark.parametrize("value", [2.0, 3, 1j, True, np.float16(1), np.ones(2, np.float32)])
def test_a_number_becomes_an_array_of_its_type(value: Any) -> None:
    array = compat.as_array(value)
    assert isinstance(array, jax.Array)
    assert compat.typeof(array) == compat.typeof(value)
    np.testing.assert_array_equal(np.asarray(array), value)


def test_an_array_stays_the_same_object() -> None:
    assert compat.as_array(X) is X
    nothing = np.zeros(2, jax.dtypes.float0)
    assert compat.as_array(nothing) is nothing


def test_values_that_are_known_now() -> None:
    np.testing.assert_array_equal(compat.concrete(X), X)
    assert compat.referent(X) is X
    assert not compat.is_tracer(X)

    @jax.jit
    def inside(x: Any) -> Any:
        assert compat.concrete(x) is None
        assert compat.is_tracer(x)
        return x

    inside(X)


def test_values_outside_a_mesh_vary_over_no_axis() -> None:
    assert compat.varying_axes(compat.typeof(X)) == frozenset()


# --- programs -------------------------------------------------------------------------------------


def test_a_program_is_opened_and_run() -> None:
    closed = jax.make_jaxpr(lambda x: jnp.sin(x) * X)(X)
    jaxpr, consts = jaxprs.open_jaxpr(closed)
    assert len(jaxpr.eqns) >= 2
    assert len(consts) == len(jaxpr.constvars)
    np.testing.assert_allclose(jaxprs.jaxpr_function(closed)(X)[0], jnp.sin(X) * X, rtol=1e-6)


def test_inputs_that_dead_code_alone_reads_are_unused() -> None:
    def fun(x: Any, y: Any, z: Any) -> Any:
        _ = jnp.sin(y)
        return x * 2 + z * 0

    assert jaxprs.used_inputs(jax.make_jaxpr(fun)(X, X, X)) == (True, False, True)


def test_literals_are_told_from_variables() -> None:
    jaxpr, _ = jaxprs.open_jaxpr(jax.make_jaxpr(lambda x: x * 2.0)(X))
    (equation,) = jaxpr.eqns
    assert sorted(jaxprs.is_literal(atom) for atom in equation.invars) == [False, True]


def test_which_calls_of_jit_are_opened() -> None:
    jaxpr, _ = jaxprs.open_jaxpr(jax.make_jaxpr(jax.jit(jnp.sin))(X))
    (call,) = jaxpr.eqns
    assert call.primitive is compat.primitives.jit_p
    assert jaxprs.inlined_body(call.primitive, call.params) is None
    opened = {**call.params, "inline": True}
    assert jaxprs.inlined_body(call.primitive, opened) is call.params["jaxpr"]
    assert jaxprs.inlined_body(lax.sin_p, {}) is None


def test_which_equations_carry_programs() -> None:
    custom = jax.custom_jvp(lambda x: x * 2)
    custom.defjvp(lambda p, t: (p[0] * 2, t[0] * 2))
    assert not jaxprs.flat(jax.make_jaxpr(custom)(X)).plain
    assert jaxprs.flat(jax.make_jaxpr(jnp.sin)(X)).plain


def test_a_sum_is_one_primitive() -> None:
    np.testing.assert_allclose(compat.sum_over(jnp.ones((2, 3)), [1]), [3, 3])
    jaxpr, _ = jaxprs.open_jaxpr(jax.make_jaxpr(lambda x: compat.sum_over(x, [0]))(X))
    assert [eqn.primitive.name for eqn in jaxpr.eqns] == ["reduce_sum"]


# --- source lines ---------------------------------------------------------------------------------


def test_the_line_is_the_user_s() -> None:
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]  # CPython has frames
    jaxpr, _ = jaxprs.open_jaxpr(jax.make_jaxpr(lambda x: jnp.sin(x) * 2)(X))
    found = compat.source_line(jaxpr.eqns[0].source_info)
    assert found is not None
    assert found.endswith(f"test_jaxcompat.py:{line}")


# --- what is lighter than JAX's own ---------------------------------------------------------------


@pytest.mark.parametrize("like", [X, X[0], jnp.ones((0, 2)), X.astype(jnp.bfloat16), 1j * X])
def test_one_number_for_every_entry(like: Any) -> None:
    filled = compat.filled(0.5, like)
    assert (filled.shape, filled.dtype) == (like.shape, like.dtype)
    np.testing.assert_array_equal(filled, lax.full_like(like, 0.5))
    assert compat.filled(3, like, np.int32).dtype == np.int32
    assert compat.filled(3, compat.typeof(like)).shape == like.shape


def test_one_number_is_one_equation() -> None:
    jaxpr, _ = jaxprs.open_jaxpr(jax.make_jaxpr(lambda x: compat.filled(1, x))(X))
    assert [equation.primitive.name for equation in jaxpr.eqns] == ["broadcast_in_dim"]


def test_a_number_has_the_sharding_of_what_it_stands_beside() -> None:
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        x = jax.device_put(X, jax.sharding.NamedSharding(mesh, jax.P("i")))
        assert not compat.is_plain(compat.typeof(x))
        assert compat.typeof(compat.filled(2, x)) == compat.typeof(x)
    assert compat.is_plain(compat.typeof(X))


def test_the_type_of_a_value_is_jax_s() -> None:
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Explicit,))
    spread = jax.device_put(X, jax.sharding.NamedSharding(mesh, jax.P("i")))
    for value in (X, X[0], 1.0, 2, True, np.ones(3), np.float32(1), spread, jax.random.key(0)):
        assert compat.typeof(value) == jax.typeof(value)

    @jax.jit
    def staged(x: Any) -> Any:
        assert compat.typeof(x) is jax.typeof(x)
        return x

    staged(X)
