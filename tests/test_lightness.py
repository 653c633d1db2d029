"""What refers to an array or to an object of a user's is not light, however it is wrapped."""

import gc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from weakref import ref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad import _lightness
from funcgrad._lightness import is_light


class Pair(NamedTuple):
    first: Any
    second: Any


class Owner:
    """An object of a user's class."""

    def method(self) -> None:
        """Reads nothing."""


def in_closure(value: Any) -> Any:
    return lambda: value


def in_default(value: Any) -> Any:
    def function(held: Any = value) -> Any:
        return held

    return function


def in_keyword_default(value: Any) -> Any:
    def function(*, held: Any = value) -> Any:
        return held

    return function


def in_attribute(value: Any) -> Any:
    def function() -> None:
        """Holds what is set below."""

    function.held = value  # type: ignore[attr-defined]
    return function


def in_recursion(value: Any) -> Any:
    def function(n: int) -> Any:
        return value if n == 0 else function(n - 1)

    return function


def in_custom_rule(value: Any) -> Any:
    fun = jax.custom_vjp(lambda x: x)
    fun.defvjp(lambda x: (x, None), lambda _, ct: (ct, value))
    return fun


def in_class(value: Any) -> Any:
    class Holder(NamedTuple):
        first: Any

        def method(self) -> Any:
            return value

    return Holder


def in_class_attribute(value: Any) -> Any:
    class Holder:
        __slots__ = ("first",)
        held = value

    return Holder


def in_property(value: Any) -> Any:
    class Holder:
        @property
        def held(self) -> Any:
            return value

        @staticmethod
        def method() -> None:
            """Reads nothing."""

    class Derived(Holder):
        pass

    return Derived


WRAPPERS: list[Callable[[Any], Any]] = [
    in_closure, in_default, in_keyword_default, in_attribute, in_recursion, in_custom_rule,
    lambda value: partial(max, value), lambda value: partial(max, key=value),
    lambda value: jax.jit(in_closure(value)), lambda value: (1, value), lambda value: [value],
    lambda value: {"key": value}, lambda value: Pair(1, value),
    lambda value: jax.checkpoint(in_closure(value)), in_class, in_class_attribute, in_property,
]  # fmt: skip
LIGHT = [1, -0.5, None, "name", np.float32(2), np.dtype("int8"), jnp.sin, np.sin, jax, Owner, len]
HEAVY: list[Any] = [np.ones(2), jnp.ones(2), Owner(), Owner().method, object.__new__(Owner)]


@given(st.lists(st.sampled_from(WRAPPERS), max_size=6), st.sampled_from(LIGHT), st.data())
def test_only_what_is_at_the_end_of_all_references_matters(
    wrappers: list[Any], light: Any, data: st.DataObject
) -> None:
    heavy = data.draw(st.sampled_from(HEAVY))
    for wrap in wrappers:
        light, heavy = wrap(light), wrap(heavy)
    assert is_light(light)
    assert not is_light(heavy)


def test_programs_are_as_heavy_as_their_constants_and_parameters() -> None:
    array = jnp.arange(3.0) + 1
    assert is_light(jax.make_jaxpr(lambda x: x * 2)(array))
    assert not is_light(jax.make_jaxpr(lambda x: x * array)(array))
    for held in (2, Owner()):
        callback = partial(np.multiply, 1 if held == 2 else held)
        program = jax.make_jaxpr(lambda x, f=callback: jax.pure_callback(f, x, x))(1.0)
        assert is_light(program) is (held == 2)


def test_tree_structures_are_as_heavy_as_what_they_carry() -> None:
    carrying = [
        jax.tree.structure([jax.tree_util.Partial(in_closure(held), 1)]) for held in (2, Owner())
    ]
    assert list(map(is_light, carrying)) == [True, False]


def test_values_under_a_trace_are_heavy() -> None:
    seen = []
    jax.make_jaxpr(lambda x: seen.append(is_light(in_closure(x))))(1.0)
    assert seen == [False]


def test_a_variable_without_a_value_is_light() -> None:
    def function() -> Any:
        return later

    assert is_light(function)
    later = np.ones(2)
    assert not is_light(function)


@pytest.mark.parametrize(("count", "light"), [(10, True), (_lightness.LOOKED_AT + 1, False)])
def test_what_refers_to_too_much_is_not_light(count: int, light: bool) -> None:
    chain: Any = ()
    for _ in range(count):
        chain = (chain,)
    assert is_light(chain) is light


def test_the_class_of_an_object_is_not_kept() -> None:
    class Local:
        pass

    assert not is_light(Local())
    gone = ref(Local)
    del Local
    gc.collect()
    assert gone() is None
