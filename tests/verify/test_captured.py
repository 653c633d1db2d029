"""Functions as text: imported, or defined with what they capture, or said to be missing."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.verify._captured import importable, written
from tests.verify.planting import X

HALF = 0.5


class Model:
    """What has no text."""

    slope = 2.0


def half(y: Any) -> Any:
    return HALF * y


def scaled(k: Any, w: Any = None, model: Any = None) -> Any:
    def own(z: Any) -> Any:
        return jnp.sin(z) * (1.0 if w is None else w)

    def f(x: Any, n: Any = k, *, flag: bool = True) -> Any:
        def inner(t: jax.Array) -> Any:
            return t + math.pi * flag

        slope = 1.0 if model is None else model.slope
        return slope * n * k * jnp.sum(own(x)) + jnp.sum(half(inner(x)))

    return f


def repeated(times: int) -> Any:
    def again(x: Any, left: int = times) -> Any:
        return x if left == 0 else again(jnp.sin(x), left - 1)

    return again


def decorated(k: float) -> Any:
    @functools.lru_cache
    def unused() -> None: ...

    def outer(f: Any) -> Any:
        @functools.wraps(f)
        def wrapper(x: Any) -> Any:
            return f(x) * k

        return wrapper

    @outer
    def f(x: Any) -> Any:
        return x + k

    return f


def rule(k: float, model: Any) -> Any:
    @jax.custom_vjp
    def h(x: Any) -> Any:
        return k * x * model.slope

    h.defvjp(lambda x: (h(x), x), lambda _, ct: (k * ct,))
    return h


def run(fun: Any, name: str = "") -> Any:
    """The function that its text makes."""
    found = written(fun, name)
    space: dict[str, Any] = {}
    exec("\n".join(["import jax.numpy as jnp", *found.imports, *found.lines]), space)
    return eval(found.name, space)


MADE: dict[str, Any] = {
    "a closure": scaled(3.0),
    "a closure over an array": scaled(2.0, jnp.array([1.0, 2.0, 3.0])),
    "one that calls itself": repeated(3),
    "a lambda": lambda x: jnp.sum(x * HALF),
    "a wrapper": decorated(2.0),
    "imported": half,
}
PAIR = (lambda x: x * 2, lambda x: x * 3)  # in one line


@pytest.mark.parametrize("name", MADE)
def test_a_function_is_written_so_that_it_computes_the_same(name: str) -> None:
    fun = MADE[name]
    np.testing.assert_array_equal(run(fun)(X), fun(X))
    np.testing.assert_array_equal(run(fun, "gradient")(X), fun(X))


def test_lambdas_of_one_line_are_told_apart() -> None:
    assert [run(fun)(1.0) for fun in PAIR] == [2.0, 3.0]


def test_what_is_captured_and_has_no_text_is_said() -> None:
    fun = scaled(3.0, model=Model())
    lines = "\n".join(written(fun).lines)
    assert "    model = ...  # captured: a value of type Model; put it here\n" in lines
    assert "    k = 3.0\n" in lines


def test_what_has_no_source_is_left_open_and_said() -> None:
    found = written(rule(2.0, Model()))
    assert found.name == "h"
    assert found.lines == ["h = ...  # put it here"]
    about, captured = found.imports
    assert about.startswith("# h is the function that was checked: ")
    assert "test_captured.py:" in about
    assert captured == "# it captures k = 2.0, model (a value of type Model)"
    partial = written(functools.partial(half, 1.0))
    assert partial.imports == ["# f is the function that was checked: partial"]
    assert partial.lines == ["f = ...  # put it here"]


def test_defaults_without_text_are_not_guessed() -> None:
    def f(x: Any, model: Any = Model()) -> Any:  # noqa: B008  that is what is tested
        return x * model.slope

    assert written(f).lines == ["f = ...  # put it here"]


def test_what_can_be_imported() -> None:
    assert importable(jnp.tanh) == ("from jax.numpy import tanh", "tanh")
    assert importable(scaled(1.0)) is None
    assert importable(3) is None
    assert written(jnp.tanh).lines == []


def test_another_function_is_named_as_what_it_is() -> None:
    found = written(lambda x: x, "gradient")
    assert found.imports[0].startswith("# gradient is the function that was given: ")
    assert found.lines == ["gradient = lambda x: x"]
