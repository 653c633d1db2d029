"""Strategies: what they draw is what was asked for, reaches every corner, and shrinks."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcgrad
from funcgrad.verify import strategies
from funcgrad.verify._kinds import Kind, around

X64 = bool(jax.config.read("jax_enable_x64"))
NARROW = ["float16", "bfloat16", "float32"]
WIDE = ["float64", "complex128"]
REALS = [*NARROW, *(["float64"] if X64 else [])]
COMPLEX = ["complex64", *(["complex128"] if X64 else [])]
INTEGERS = ["int8", "uint8", "int32", "uint32"]
few = settings(max_examples=60)


def simplest(strategy: st.SearchStrategy[Any], condition: Callable[[Any], Any]) -> Any:
    """What Hypothesis shrinks to."""
    limits = settings(max_examples=2000, database=None, derandomize=True)
    return hypothesis.find(strategy, lambda x: bool(condition(x)), settings=limits)


def reaches(strategy: st.SearchStrategy[Any], condition: Callable[[Any], Any]) -> Any:
    """One example that Hypothesis finds, as it was drawn."""
    limits = settings(
        max_examples=2000, database=None, derandomize=True, phases=[hypothesis.Phase.generate]
    )
    return hypothesis.find(strategy, lambda x: bool(condition(x)), settings=limits)


def wide(x: Any) -> np.ndarray[Any, Any]:
    return np.asarray(x).astype(np.complex128 if jnp.iscomplexobj(x) else np.float64)


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*REALS, *COMPLEX, *INTEGERS, "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (40, 30)])
def test_arrays_are_of_their_shape_and_dtype_finite_and_not_subnormal(
    dtype: str, shape: tuple[int, ...]
) -> None:
    @given(strategies.arrays(shape, dtype))
    def holds(x: jax.Array) -> None:
        assert isinstance(x, jax.Array)
        assert x.shape == shape
        assert x.dtype == np.dtype(dtype)
        values = wide(x)
        assert np.isfinite(values).all()
        if dtype in REALS:
            info: Any = jnp.finfo(dtype)  # type: ignore[no-untyped-call]  # of ml_dtypes
            assert not ((values != 0) & (np.abs(values) < float(info.tiny))).any()

    holds()


CORNERS: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "all zero": lambda x: not x.any(),
    "a negative zero": lambda x: (np.signbit(x) & (x == 0)).any(),
    "some zero and some not": lambda x: 2 <= np.count_nonzero(x) <= x.size - 2,
    "negative": lambda x: (x < 0).all(),
    "positive": lambda x: (x > 0).all(),
    "all equal and not zero": lambda x: x[0] != 0 and (x == x[0]).all(),
    "a tie among different values": lambda x: 4 <= len(np.unique(x)) < x.size,
    "all different": lambda x: len(np.unique(x)) == x.size,
    "large": lambda x: (np.abs(x) >= 1e4).any(),
    "tiny": lambda x: ((x != 0) & (np.abs(x) <= 1e-4)).any(),
    "many magnitudes": lambda x: (np.abs(x) > 1e3).any() and ((x != 0) & (abs(x) < 1e-3)).any(),
    "ordinary": lambda x: ((np.abs(x) > 0.01) & (np.abs(x) < 5)).all() and np.std(x) > 0.1,
    "small and round": lambda x: x.any() and np.isin(x, [0, 1, 2, -1, -2, 0.5]).all(),
    "one that stands out": lambda x: np.count_nonzero(x) == 1,
}


@pytest.mark.parametrize("size", [6, 400])
@pytest.mark.parametrize("corner", CORNERS)
def test_every_corner_is_drawn(corner: str, size: int) -> None:
    found = reaches(strategies.arrays(size), lambda x: CORNERS[corner](wide(x)))
    assert CORNERS[corner](wide(found))


def test_corners_are_no_rarities() -> None:
    """Each in at least one of fifty, so that a search of some dozens sees them."""
    seen = dict.fromkeys(CORNERS, 0)

    @settings(max_examples=500, database=None, derandomize=True)
    @given(strategies.arrays(6))
    def count(x: jax.Array) -> None:
        for name, corner in CORNERS.items():
            seen[name] += bool(corner(wide(x)))

    count()
    assert min(seen.values()) >= 10, seen


def _holds(value: complex, x: Any) -> bool:
    return bool((wide(x) == value).any())


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("constant", [0.0, 1.5, -3.0])
def test_a_kink_is_drawn_and_both_its_sides(dtype: str, constant: float) -> None:
    k, below, above = around(constant, Kind(np.dtype(dtype)))[:3]
    assert below < k < above
    if constant == 0:
        below, above = 0.0, 0.0  # subnormal neighbours are zeros for XLA
    drawn = strategies.arrays(5, dtype, near=[constant])
    for value in (k, below, above):
        found = reaches(drawn, partial(_holds, value))
        assert _holds(value, found)


def test_near_a_complex_constant() -> None:
    drawn = strategies.arrays(3, "complex64", near=[1.25 - 7.25j])
    assert reaches(drawn, lambda x: (x == 1.25 - 7.25j).any()).dtype == np.complex64


@pytest.mark.parametrize("dtype", [*REALS, "int32"])
@pytest.mark.parametrize(
    "within", [(0, np.inf), (-np.inf, -2.5), (1.1, 1.9), (0.0, 1.0), (-1, 300)]
)
def test_within_holds_and_the_edges_are_drawn(dtype: str, within: tuple[float, float]) -> None:
    if dtype == "int32" and within == (1.1, 1.9):
        with pytest.raises(funcgrad.FuncgradError, match=r"holds no number of dtype int32"):
            strategies.arrays(3, dtype, within=within)
        return
    drawn = strategies.arrays((4, 5), dtype, within=within)

    @few
    @given(drawn)
    def holds(x: jax.Array) -> None:
        assert (wide(x) >= within[0]).all()
        assert (wide(x) <= within[1]).all()

    holds()
    edge = next(bound for bound in within if np.isfinite(bound))
    tolerance = 1.0 if dtype == "int32" else 0.01
    reaches(drawn, lambda x: (np.abs(wide(x) - edge) <= tolerance).any())
    reaches(drawn, lambda x: len(np.unique(wide(x))) > 3 or dtype == "int32")


def test_ten_thousand_entries_and_more_fit_into_the_buffer() -> None:
    sizes = set()

    @settings(max_examples=30, database=None, deadline=None)
    @given(strategies.arrays((100, 100)), strategies.arrays(1_000_000))
    def draw(x: jax.Array, y: jax.Array) -> None:
        sizes.add((x.size, y.size))

    draw()
    assert sizes == {(10_000, 1_000_000)}


# --- shrinking ------------------------------------------------------------------------------------

LARGE = strategies.arrays((100, 100))
FAULTS: dict[str, tuple[Callable[[np.ndarray[Any, Any]], Any], float]] = {
    "a negative entry": (lambda x: (x < 0).any(), -1.0),
    "a certain entry": (lambda x: x[73, 41] < -0.3, -1.0),
    "an entry in the lower half": (lambda x: (x[50:] > 1.5).any(), 2.0),
    "any entry": (lambda x: x.any(), 1.0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_large_array_shrinks_to_one_round_number_among_zeros(fault: str) -> None:
    condition, value = FAULTS[fault]
    found = wide(simplest(LARGE, lambda x: condition(wide(x))))
    assert np.count_nonzero(found) == 1
    # How far Hypothesis shrinks one number depends on its version; it stays small and round.
    assert found.sum() in (value, np.sign(value) * 2, np.sign(value) * 3)


def test_small_arrays_shrink_to_small_round_numbers() -> None:
    found = wide(simplest(strategies.arrays(4), lambda x: (wide(x) > 0.2).sum() >= 2))
    assert sorted(found.tolist()) == [0.0, 0.0, 1.0, 1.0]


def test_what_does_not_matter_shrinks_to_zeros() -> None:
    found = simplest(strategies.like({"a": jnp.ones(3), "b": jnp.ones((20, 2))}), lambda _: True)
    assert not any(map(np.any, jax.tree.leaves(found)))


# --- numbers and shapes ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", REALS)
def test_numbers_are_exact_in_the_dtype(dtype: str) -> None:
    @few
    @given(strategies.floats_for(dtype, near=[0.1]))
    def holds(x: float) -> None:
        assert type(x) is float
        assert float(np.asarray(x).astype(np.dtype(dtype))) == x

    holds()


def test_numbers_of_other_dtypes() -> None:
    assert simplest(strategies.floats_for("complex64"), lambda z: z.imag > 1.5) == 2j
    assert simplest(strategies.floats_for("int8"), lambda n: n > 2) == 3
    assert type(simplest(strategies.floats_for("int8"), lambda n: n > 2)) is int
    assert simplest(strategies.floats_for("bool"), lambda b: b) is True


def test_shapes_come_from_the_pool() -> None:
    pool = [(2,), (2, 2), ()]
    for shape in pool:
        assert reaches(strategies.shapes(pool), partial(operator.eq, shape)) == shape
    assert simplest(strategies.shapes(pool), lambda _: True) == (2,)
    assert simplest(strategies.arrays(strategies.shapes(pool)), lambda x: x.ndim == 2).shape == (
        2,
        2,
    )


def test_jax_arrays_are_drawn_by_their_type() -> None:
    found = reaches(st.from_type(jax.Array), lambda x: x.ndim == 2 and (wide(x) < 0).any())
    assert isinstance(found, jax.Array)

    class Pair(NamedTuple):
        left: jax.Array
        right: jax.Array

    pair = reaches(st.builds(Pair, strategies.arrays(2)), lambda pair: (wide(pair.left) > 1).any())
    assert isinstance(pair.right, jax.Array)


# --- trees ----------------------------------------------------------------------------------------


class Params(NamedTuple):
    w: Any
    b: Any


def structure(tree: Any) -> Any:
    return jax.tree.structure(tree)


def kind(leaf: Any) -> Any:
    if hasattr(leaf, "dtype"):
        return (leaf.shape, leaf.dtype)
    return type(leaf)


TREE = {
    "params": Params(jnp.ones((2, 3)), [np.ones(2, np.float16), jnp.ones(2, jnp.bfloat16)]),
    "scalar": 0.5,
    "complex": 1j,
    "none": None,
    "labels": jnp.array([3, 9, 4]),
    "mask": jnp.array([True, False]),
    "count": 7,
    "name": "x",
    "key": jax.random.key(0),
    "raw": jax.random.PRNGKey(3),
    "empty": jnp.zeros((0, 2)),
}


@few
@given(strategies.like(TREE))
def test_trees_like_a_given_one_keep_structure_shapes_and_dtypes(tree: Any) -> None:
    assert structure(tree) == structure(TREE)
    assert jax.tree.map(kind, tree) == jax.tree.map(kind, TREE)
    for name in ("labels", "mask", "count", "name", "key", "raw"):
        assert tree[name] is TREE[name]


@few
@given(strategies.like({"labels": jnp.array([3, 9, 4]), "m": np.array([False])}, integers="draw"))
def test_integers_are_drawn_in_the_range_of_the_given(tree: Any) -> None:
    assert tree["labels"].dtype == jnp.array([3]).dtype
    assert ((tree["labels"] >= 3) & (tree["labels"] <= 9)).all()
    assert tree["m"].dtype == bool


def test_drawn_integers_differ() -> None:
    drawn = strategies.like(jnp.array([3, 9, 4]), integers="draw")
    found = reaches(drawn, lambda x: {3, 9} <= set(np.asarray(x).tolist()))
    assert found.shape == (3,)


def test_trees_like_types() -> None:
    types = {
        "w": jax.ShapeDtypeStruct((2, 2), jnp.float32),
        "labels": jax.ShapeDtypeStruct((3,), jnp.int32),
        "mask": jax.ShapeDtypeStruct((3,), jnp.bool_),
        "key": jax.eval_shape(lambda: jax.random.key(0)),
        "keys": jax.eval_shape(lambda: jax.random.split(jax.random.key(0), (2, 2))),
    }
    found = reaches(strategies.like(types), lambda tree: tree["w"].any() and tree["mask"][1])
    assert jax.tree.map(kind, found) == jax.tree.map(kind, types)
    assert ((found["labels"] >= 0) & (found["labels"] <= 3)).all()


def test_constants_that_a_leaf_cannot_hold_are_left_out() -> None:
    tree = (jnp.ones(2, jnp.float16), jnp.ones(2, jnp.float32))
    found = reaches(
        strategies.like(tree, near=[1e6 + 64]), lambda pair: (pair[1] == 1e6 + 64).any()
    )
    assert found[0].dtype == jnp.float16


def test_a_tree_of_hundreds_of_leaves_fits_into_the_buffer() -> None:
    tree = [jnp.ones((8, 4)) for _ in range(150)]
    drawn = strategies.like(tree).map(len)
    assert reaches(drawn, lambda count: count == 150) == 150


def test_a_neighbourhood_is_near() -> None:
    tree = {"x": jnp.array([1.0, 0.0, -2e5]), "n": 3, "s": 0.5, "z": jnp.array([3 + 4j])}

    @few
    @given(strategies.neighbourhood(tree, 0.25, absolute=0.01))
    def holds(near: Any) -> None:
        assert structure(near) == structure(tree)
        assert near["n"] == 3
        assert type(near["s"]) is float
        for name in ("x", "s", "z"):
            given_, moved = wide(tree[name]), wide(near[name])
            reach = np.maximum(0.25 * np.abs(given_), 0.01) * (1 + 1e-5) + 1e-6
            assert (np.abs(moved - given_) <= np.maximum(reach, 0.016)).all()

    holds()


def test_a_neighbourhood_shrinks_to_its_centre_and_keeps_what_is_not_finite() -> None:
    tree: dict[str, Any] = {"x": jnp.array([1.5, jnp.inf, -0.7]), "y": np.float32(3)}
    found = simplest(strategies.neighbourhood(tree), lambda _: True)
    assert found["x"].tolist() == tree["x"].tolist()
    assert found["y"] == 3


def test_steps_of_a_neighbourhood_are_of_both_kinds_and_of_every_size() -> None:
    x = jnp.array([0.0, 1000.0])
    drawn = strategies.neighbourhood(x, 0.1, absolute=0.5).map(lambda near: wide(near) - [0, 1000])
    reaches(drawn, lambda step: step[0] == 0 and abs(step[1]) > 50)
    reaches(drawn, lambda step: abs(step[0]) > 0.3 and abs(step[1]) < 1)
    reaches(drawn, lambda step: 0 < abs(step[1]) < 1e-2)
    reaches(strategies.neighbourhood(x, 0, absolute=0.5), lambda near: wide(near)[0] > 0.4)


@few
@given(strategies.neighbourhood(jnp.array([0.0, 1000.0]), 0.1, absolute=0))
def test_relative_steps_leave_zeros_alone(near: jax.Array) -> None:
    assert wide(near)[0] == 0


# --- Flax -----------------------------------------------------------------------------------------


def test_parameters_of_a_linen_model() -> None:
    linen = pytest.importorskip("flax.linen")
    model, x = linen.Dense(3), jnp.ones((1, 2))
    params = model.init(jax.random.key(0), x)
    for drawn in (strategies.like(params), strategies.flax_params(model, x)):
        found = reaches(drawn, lambda p: (p["params"]["kernel"] < 0).any())
        assert jax.tree.map(kind, found) == jax.tree.map(kind, params)
        assert model.apply(found, x).shape == (1, 3)


def test_parameters_of_an_nnx_model() -> None:
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Sequential(
        nnx.Linear(2, 3, rngs=nnx.Rngs(0)), nnx.Dropout(0.5, rngs=nnx.Rngs(dropout=1))
    )
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    found = reaches(strategies.flax_params(model), lambda p: jax.tree.leaves(p)[1].any())
    assert structure(found) == structure(params)
    assert nnx.merge(graphdef, found, rest)(jnp.ones((1, 2))).shape == (1, 3)
    state = nnx.state(model)
    whole = reaches(strategies.like(state), lambda s: jax.tree.leaves(s)[-1].size > 0)
    assert structure(whole) == structure(state)


def test_what_is_no_flax_model_is_refused() -> None:
    pytest.importorskip("flax")
    with pytest.raises(TypeError, match=r"takes a Linen module .* received int with 0 inputs"):
        strategies.flax_params(3)


# --- messages -------------------------------------------------------------------------------------


wrong: Any = strategies  # so that wrong types may be given


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: wrong.arrays((2, -1)), ValueError, r"no negative lengths, but is \(2, -1\)"),
        (lambda: wrong.arrays("ab"), TypeError, r"tuple of lengths .* but is 'ab'"),
        (lambda: wrong.arrays(3, "float8_e5m2"), TypeError, r"draws the dtype float8_e5m2"),
        (lambda: wrong.arrays(3, "real"), TypeError, r"must be a dtype, but is 'real'"),
        (lambda: wrong.arrays(3, near=["a"]), ValueError, r"holds 'a'"),
        (lambda: wrong.arrays(3, near=[np.nan]), ValueError, r"finite .* holds nan"),
        (lambda: wrong.arrays(3, "float16", near=[1e6]), ValueError, r"float16 can hold"),
        (lambda: wrong.arrays(3, near=[1j]), ValueError, r"holds 1j"),
        (lambda: wrong.arrays(3, within=(2, 1)), ValueError, r"2\.0 is not below 1\.0"),
        (lambda: wrong.arrays(3, within=3), TypeError, r"two numbers.* but is 3"),
        (lambda: wrong.arrays(3, "complex64", within=(0, 1)), TypeError, r"is complex64"),
        (lambda: wrong.shapes([]), ValueError, r"pool is empty"),
        (lambda: wrong.shapes([(1.5,)]), TypeError, r"but is \(1\.5,\)"),
        (lambda: wrong.like(1.0, integers="all"), ValueError, r'"keep" or "draw".* \'all\''),
        (lambda: wrong.neighbourhood(1.0, -1), ValueError, r"radius .* but is -1"),
        (lambda: wrong.neighbourhood(1.0, absolute=np.inf), ValueError, r"absolute .* inf"),
        (
            lambda: wrong.neighbourhood(jax.ShapeDtypeStruct((), jnp.float32)),
            TypeError,
            r"one of values, but received ShapeDtypeStruct",
        ),
    ],
)
def test_impossible_requests_are_refused_at_once(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, funcgrad.FuncgradError)


@pytest.mark.skipif(X64, reason="64-bit numbers are on")
@pytest.mark.parametrize("dtype", WIDE)
def test_64_bits_that_are_off_are_refused(dtype: str) -> None:
    with pytest.raises(funcgrad.FuncgradError, match=rf"no {dtype} while .*jax_enable_x64"):
        strategies.arrays(3, dtype)


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for name in ("_hypothesis", "_draws", "_leaves", "strategies"):
        monkeypatch.delitem(sys.modules, f"funcgrad.verify.{name}", raising=False)
    with pytest.raises(funcgrad.FuncgradError, match=r'pip install "funcgrad\[verify\]"'):
        __import__("funcgrad.verify.strategies")


def test_only_what_is_offered_shows() -> None:
    assert dir(strategies) == sorted(strategies.__all__)
    assert all(callable(getattr(strategies, name)) for name in strategies.__all__)
