"""A call taken apart: which leaves are differentiated, and the forms of a foreign gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import GradientTypeError
from funcgrad.verify._problem import Problem, StructureError, pose
from tests.verify.planting import X

W = jnp.array([[1.0, 2.0, 0.5], [-0.5, 0.25, 1.5]])


class Layer(NamedTuple):
    w: Any
    b: Any


def product(w: Any, n: Any, x: Any) -> Any:
    return jnp.sum((w @ x) ** n)


def slopes(w: Any, n: Any, x: Any) -> tuple[Any, Any]:
    inner = n * (w @ x) ** (n - 1)
    return jnp.outer(inner, x), inner @ w


def test_trees_are_taken_apart_and_named() -> None:
    def layer(p: Any, q: Any, *, scale: Any) -> Any:
        return {"y": scale * (p.w @ q["x"] + p.b), "n": q["n"]}

    problem = pose(layer, (Layer(W, jnp.ones(2)), {"x": X, "n": 3}), {"scale": 2.0}, None)
    assert problem.names == ["p.w", "p.b", "q['x']", "scale"]
    assert [leaf.shape for leaf in problem.leaves] == [(2, 3), (2,), (3,), ()]
    assert problem.entries == 12
    (value,) = problem.function(*problem.leaves)
    np.testing.assert_allclose(value, 2 * (W @ X + 1), rtol=1e-6)
    assert problem.name == "layer"
    assert problem.outputs == [jnp.float32]


def test_what_is_not_floating_is_passed_on() -> None:
    def draw(x: Any, key: Any, n: Any, word: str) -> Any:
        assert word == "sum"
        return jnp.sum(x * jax.random.normal(key, x.shape)) * n

    problem = pose(draw, (X, jax.random.key(0), jnp.array(2), "sum"), {}, None)
    assert problem.names == ["x"]
    assert len(problem.passive) == 2
    (value,) = problem.whole(problem.leaves, problem.passive)
    np.testing.assert_allclose(value, draw(X, jax.random.key(0), 2, "sum"))


def test_a_callable_object_is_named_by_its_class() -> None:
    class Square:
        def __call__(self, x: Any) -> Any:
            return x * x

    assert pose(Square(), (X,), {}, None).name == "Square"


GRADIENTS: dict[str, tuple[Any, list[str]]] = {
    "a tuple by all": (lambda w, n, x: (slopes(w, n, x)[0], 0, slopes(w, n, x)[1]), ["w", "x"]),
    "None for an integer": (
        lambda w, n, x: (slopes(w, n, x)[0], None, slopes(w, n, x)[1]), ["w", "x"],
    ),
    "a tuple by the floating ones": (slopes, ["w", "x"]),
    "a list": (lambda w, n, x: list(slopes(w, n, x)), ["w", "x"]),
    "bare, by the first": (lambda w, n, x: slopes(w, n, x)[0], ["w"]),
    "NumPy": (lambda w, n, x: np.asarray(slopes(w, n, x)[0]), ["w"]),
}  # fmt: skip


def posed(gradient: Any) -> Problem:
    return pose(product, (W, 2, X), {}, gradient)


@pytest.mark.parametrize("form", GRADIENTS)
def test_the_forms_of_a_gradient(form: str) -> None:
    gradient, names = GRADIENTS[form]
    problem = posed(gradient)
    assert problem.names == names
    assert problem.gradient is not None
    found = problem.gradient(*problem.leaves)
    for got, wanted in zip(found, slopes(W, 2, X), strict=False):
        np.testing.assert_allclose(got, wanted)
    assert len(found) == len(names) == len(problem.leaves)
    (value,) = problem.function(*problem.leaves)
    np.testing.assert_allclose(value, product(W, 2, X))


def test_a_tuple_of_one() -> None:
    problem = pose(lambda x: jnp.sum(x * x), (X,), {}, lambda x: (2 * x,))
    assert problem.gradient is not None
    np.testing.assert_allclose(problem.gradient(X)[0], 2 * X)


def test_a_tree_s_gradient_has_its_structure() -> None:
    def total(p: Layer) -> Any:
        return jnp.sum(p.w**2) + jnp.sum(p.b)

    problem = pose(total, (Layer(W, X),), {}, lambda p: Layer(2 * p.w, jnp.ones(3)))
    assert problem.gradient is not None
    assert [g.shape for g in problem.gradient(W, X)] == [(2, 3), (3,)]
    with pytest.raises(StructureError, match=r"expected: Layer\(w=float32"):
        pose(total, (Layer(W, X),), {}, lambda p: (2 * p.w,) * 3)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(StructureError, match=r"\[3, 2\]; expected: float32\[2, 3\]"):
        posed(lambda w, n, x: slopes(w, n, x)[0].T)


@pytest.mark.parametrize(
    "wrong",
    [lambda w, n, x: {"w": slopes(w, n, x)[0]}, lambda w, n, x: slopes(w, n, x) * 2],
    ids=["a dict", "too many"],
)
def test_a_wrong_structure_is_refused(wrong: Any) -> None:
    with pytest.raises(StructureError, match=r"expected: float32\[2, 3\], or a tuple"):
        posed(wrong)


def test_the_first_argument_s_gradient_in_a_tuple() -> None:
    assert posed(lambda w, n, x: (slopes(w, n, x)[0],)).names == ["w"]


def test_mistakes() -> None:
    with pytest.raises(GradientTypeError, match="takes a function first, but received 3 of type"):
        pose(3, (X,), {}, None)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(GradientTypeError, match=r"none of the arguments \(int32, str\) is a float"):
        pose(product, (jnp.arange(3), "a"), {}, None)
    with pytest.raises(GradientTypeError, match=r"none of the arguments \(there are none\)"):
        pose(lambda: 1.0, (), {}, None)
