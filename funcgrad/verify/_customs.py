"""The custom rules in a program: whose they are, what they stand for, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from .. import _jaxcompat as compat
from .. import _jaxprs as jaxprs
from .._jaxcompat import primitives as p
from ._programs import equations, inner_programs

CUSTOM = frozenset({p.custom_jvp_call_p, p.custom_vjp_call_p, p.custom_vmap_p, p.linear_solve_p})


class Customs(NamedTuple):
    """The custom rules in a program.

    Attributes:
        own: whether there are any that are not JAX's.
        approximate: whether JAX's rules stand for special functions, whose bodies approximate them.
        loops: whether a rule stands for a loop, whose body may converge only where it is meant to.
        samples: whether samples of the gamma distribution are drawn, whose derivative by the shape
            is that of the quantile, and not of the sampler, which accepts or rejects.
    """

    own: bool = False
    approximate: bool = False
    loops: bool = False
    samples: bool = False


_APPROXIMATION = 15  # equations; the bodies of relu and logaddexp are shorter
_JAX = str(Path(jax.__file__).parent)


def customs(programs: Sequence[Any]) -> Customs:
    """What is known about the custom rules that programs call."""
    samples = any(e.primitive is p.random_gamma_p for c in programs for e in equations(c))
    found = Customs(approximate=samples, samples=samples)
    for equation in _calls(programs):
        inside = [e for body in inner_programs(equation) for e in equations(body)]
        loops = any(e.primitive in (p.while_p, p.scan_p) for e in inside)
        if _is_jax_own(equation):
            found = found._replace(
                approximate=found.approximate or loops or len(inside) >= _APPROXIMATION
            )
        else:
            found = found._replace(own=True, loops=found.loops or loops)
    return found


def _calls(programs: Sequence[Any]) -> list[Any]:
    """The calls of custom rules."""
    return [e for program in programs for e in equations(program) if e.primitive in CUSTOM]


def _is_jax_own(equation: Any) -> bool:
    homes = [_home(value) for value in equation.params.values()]
    return all(_JAX in home for home in homes if home)


def _home(value: Any) -> str:
    """Where a parameter's function was written: ``square at file.py:12``; empty for others."""
    info = getattr(jaxprs.open_jaxpr(value)[0], "debug_info", None)
    return str(getattr(info, "func_src_info", None) or "")


def culprits(closed: Any) -> list[str]:
    """Where a wrong derivative may come from: custom rules, JAX's aside, and `stop_gradient`."""
    found: dict[str, None] = {}
    for equation in equations(closed):
        if equation.primitive in CUSTOM and not _is_jax_own(equation):
            found[_rule_place(equation)] = None
        elif equation.primitive is p.stop_gradient_p:
            line = compat.source_line(equation.source_info)
            found[f"{line}, stop_gradient" if line else "stop_gradient"] = None
    return [place for place in found if place]


def _rule_place(equation: Any) -> str:
    """The rule's own function: ``rules.py:12, backward, the rule of square``."""
    names = ("bwd", "jvp_jaxpr_fun", "call_jaxpr", "call")
    homes = [_home(equation.params[name]) for name in names if name in equation.params]
    homes = [home for home in homes if home]
    primal = _home(equation.params.get("call_jaxpr")).partition(" at ")[0]
    if not homes:
        return ""
    name, _, place = homes[0].partition(" at ")
    return f"{Path(place).name}, {name}" + (f", the rule of {primal}" if primal != name else "")
