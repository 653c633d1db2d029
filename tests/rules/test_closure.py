"""The table is closed under differentiation: what a pullback computes can be differentiated too.

Where each pullback emits only primitives of the table, so does each pullback of these, and
gradients of every order exist.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import pytest
from jax.extend.core import Primitive

from funcgrad._jaxcompat import primitives as p
from funcgrad._registry import lookup
from tests.rules.rule_agreement import of_ours
from tests.rules.rule_faults import changed, planted
from tests.rules.rule_points import EXAMPLES, RULES, Example, dtypes_of, kinds, point_kinds

# A primitive that a pullback may emit without a rule for it, and why it needs none.
WITHOUT_RULE: dict[str, str] = {}


def emitted(program: Any) -> Iterator[Any]:
    """The primitives of a jaxpr, and of the jaxprs in their parameters."""
    for equation in program.eqns:
        yield equation.primitive
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if _is_program(value):
                yield from emitted(value)


def _is_program(value: Any) -> bool:
    return hasattr(value, "eqns")


def primitives_of_gradient(example: Example) -> set[Any]:
    """What the forward pass and the pullback of a case emit, in all shapes and kinds of numbers."""
    found: set[Any] = set()
    for dtype in dtypes_of(example.case):
        for shapes in example.case.shapes:
            point = point_kinds(kinds(example.case, shapes, dtype))
            program = jax.make_jaxpr(functools.partial(of_ours, example, 1))(point)
            found |= set(emitted(program))
    return found


def missing(example: Example) -> set[str]:
    return {
        primitive.name
        for primitive in primitives_of_gradient(example)
        if lookup(primitive) is None and primitive.name not in WITHOUT_RULE
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_what_a_pullback_emits_has_a_rule(example: Example) -> None:
    assert not missing(example)


def test_a_pullback_that_emits_a_primitive_without_a_rule_is_noticed() -> None:
    (rule,) = (rule for rule in RULES if rule.primitive is p.sin_p)
    unknown = Primitive("unknown")
    unknown.def_abstract_eval(lambda x: x)
    example = Example(rule, 0)
    assert not missing(example)
    with planted(changed(rule, 0, unknown.bind)):
        assert missing(example) == {"unknown"}
    assert not missing(example)


@pytest.mark.parametrize("body", ["jit", "scan", "cond"])
def test_the_search_looks_into_bodies(body: str) -> None:
    programs: dict[str, Callable[..., Any]] = {
        "jit": jax.jit(jax.lax.sin),
        "scan": lambda x: jax.lax.scan(lambda c, _: (jax.lax.sin(c), None), x, None, length=2)[0],
        "cond": lambda x: jax.lax.cond(x > 0, jax.lax.sin, jax.lax.cos, x),
    }
    assert p.sin_p in set(emitted(jax.make_jaxpr(programs[body])(1.0)))
