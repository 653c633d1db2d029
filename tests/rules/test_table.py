"""What the table holds: a rule for everything elementwise in this JAX, and cases for every rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax

from funcgrad._jaxcompat import primitives as p
from funcgrad._registry import Rule, lookup, rules
from tests.rules.rule_points import (
    EXAMPLES,
    RULES,
    Example,
    dtypes_of,
    exists,
    kinds,
)
from tests.rules.test_closure import emitted

# --- everything elementwise has a rule ------------------------------------------------------------


def lax_functions() -> Iterator[Callable[..., Any]]:
    for name in dir(lax):
        function = getattr(lax, name)
        if name.islower() and callable(function) and not name.endswith("_p"):
            yield function


def arguments() -> Iterator[tuple[Any, ...]]:
    """One to three arrays of each kind of numbers, within the domain of every function."""
    random = np.random.default_rng(0)
    real = random.uniform(0.1, 0.9, (3, 2, 3)).astype(np.float32)
    for values in (real, real + 1j * real[::-1], (10 * real).astype(np.int32)):
        for count in (1, 2, 3):
            yield tuple(values.astype(values.dtype)[:count])


def equations_of(function: Callable[..., Any], values: tuple[Any, ...]) -> list[Any]:
    """The equations of a function, none if it does not take such arguments."""
    try:
        return list(jax.make_jaxpr(function)(*values).eqns)
    except Exception:
        return []


def is_elementwise(equation: Any, values: tuple[Any, ...]) -> bool:
    """Whether the primitive commutes with every reordering of the entries; seen at one of them."""
    variables = (*equation.invars, *equation.outvars)
    fits = all(getattr(variable.aval, "shape", None) == (2, 3) for variable in variables)
    if not fits or len(equation.invars) != len(values) or equation.primitive.multiple_results:
        return False

    def apply(*operands: Any) -> Any:
        return np.asarray(equation.primitive.bind(*operands, **equation.params))

    def reordered(x: Any) -> Any:
        return np.ascontiguousarray(x.reshape(-1)[[3, 0, 5, 1, 4, 2]].reshape(2, 3))

    try:
        here, there = apply(*values), apply(*map(reordered, values))
    except OverflowError:  # cumlogsumexp takes integers and then cannot compute with them
        return False
    return np.array_equal(reordered(here), there, equal_nan=True)


def elementwise_primitives() -> set[Any]:
    """Found by what the functions of `jax.lax` do, and not by a list of names."""
    found = set()
    for function, values in itertools.product(list(lax_functions()), list(arguments())):
        equations = equations_of(function, values)
        if len(equations) == 1 and equations[0].primitive not in found:
            (equation,) = equations
            if is_elementwise(equation, values):
                found.add(equation.primitive)
    return found


def test_every_elementwise_primitive_of_jax_has_a_rule_or_no_derivative() -> None:
    found = elementwise_primitives()
    assert {p.sin_p, p.atan2_p, p.clamp_p, p.select_n_p, p.xor_p, p.conj_p} <= found
    assert len(found) > 70
    assert not {p.cumsum_p, p.sort_p, p.rev_p} & found
    assert not {primitive.name for primitive in found if lookup(primitive) is None}


# The families beyond the elementwise that the engine cannot do without.
NEEDED = """
    reduce_sum reduce_max reduce_min reduce_prod argmax argmin
    broadcast_in_dim reshape transpose squeeze rev tile
    dot_general select_n concatenate stack unstack split pad
    slice dynamic_slice dynamic_update_slice
    gather scatter scatter_add scatter_sub scatter_mul
    convert_element_type integer_pow reduce_precision stop_gradient copy name
    jit custom_jvp_call custom_vjp_call
"""


# Primitives that the older supported JAX lacks; their rules are tested on the newer one.
NEWER = {
    "one_minus_square",
    "log2",
    "polynomial",
    "relayout",
    "with_memory_space_constraint",
    "pbroadcast_dynamic",
}


@pytest.mark.parametrize("name", [*NEEDED.split(), *sorted(NEWER)])
def test_a_needed_primitive_has_a_rule(name: str) -> None:
    primitive = getattr(p, f"{name}_p")
    assert exists(primitive) or name in NEWER, "no primitive of this JAX"
    assert lookup(primitive) is not None


# --- every rule has cases that reach it -----------------------------------------------------------


def test_a_rule_for_an_unknown_primitive_is_one_for_a_newer_jax() -> None:
    """A misspelt primitive would be taken for one of another JAX."""
    absent = {p.name for p in rules() if not exists(p)}
    assert absent <= (NEWER if jax.__version_info__ < (0, 12) else set())


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.family != "none"], ids=lambda rule: rule.primitive.name
)
def test_a_rule_has_cases_or_tests_of_its_own(rule: Rule) -> None:
    """A case is a function of arrays; what takes programs or a mesh is tested beside the cases."""
    module = Path(rule.where.rsplit(":", 1)[0]).stem
    assert rule.cases or (Path(__file__).parent / f"test_{module}.py").exists()


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_case_reaches_its_primitive(example: Example) -> None:
    reached: set[Any] = set()
    for dtype, shapes in itertools.product(dtypes_of(example.case), example.case.shapes):
        arguments = kinds(example.case, shapes, dtype).arguments
        reached |= set(emitted(jax.make_jaxpr(example.case.function)(*arguments)))
    assert example.rule.primitive in reached


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_case_is_well_formed(example: Example) -> None:
    case = example.case
    assert case.dtypes in {"f", "c", "fc"}
    assert case.order in {0, 1, 2}
    assert case.order > 0 or case.note, "a case that JAX cannot be compared with says why"
    assert all(low < high for low, high in case.domains)
    assert case.shapes
    assert all(len(shapes) == len(case.domains) for shapes in case.shapes)
