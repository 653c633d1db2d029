"""Whether a program is sound at its point: well typed, finite, and smooth with a margin."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from ._interpreter import staged
from ._kinds import Operation
from ._program import Program, leaf_names, program_text, run
from ._sketch import host

Admission = Mapping[str, Any]  # the values of the inputs and of the steps' results
_WATCH = "_watch"


class _NotSoundError(Exception):
    pass


def examine(program: Program, strict: bool = True) -> Admission | None:
    """The values of the program's variables, or None if it is not sound.

    The operands of each step are seen, in each iteration of a loop and each row of a `vmap`.

    Args:
        program: what to run.
        strict: whether points at kinks and ties are refused.
    """
    steps = {step.results[0]: step for step in program.all_steps}

    def check(name: str, *operands: Any) -> None:
        step = steps[name]
        if not admits(step.operation, step.params, [host(x) for x in operands], strict):
            raise _NotSoundError

    def watch(name: str, operands: list[Any]) -> None:
        jax.debug.callback(partial(check, name), *operands)

    try:
        value, *found = _run(program, watch)
    except Exception:
        # Whatever a rewritten program raises, it is no program.
        return None
    names = [name for step in program.steps for name in step.results]
    finite = all(bool(np.isfinite(host(v)).all()) for v in (value, *found))
    sound = np.ndim(value) == 0 and bool(found) and finite
    return {**leaf_names(program.inputs), **dict(zip(names, found, strict=True))} if sound else None


def _run(program: Program, watch: Any) -> list[Any]:
    """The value, and the variables outside of bodies, by NumPy."""
    names = [name for step in program.steps for name in step.results]
    source = program_text(program, _WATCH)
    kept = f"    _keep({', '.join(f'{name}={name}' for name in names)})\n    return "
    head, _, tail = source.rpartition("    return ")
    variables: dict[str, Any] = {}
    namespace = run(head + kept + tail, **{_WATCH: watch, "_keep": variables.update})
    leaves, treedef = jax.tree.flatten(namespace["arguments"])

    def traced(*values: Any) -> list[Any]:
        value = namespace["f"](*jax.tree.unflatten(treedef, values))
        return [value, *(variables[name] for name in names)]

    return staged(traced, leaves)(*leaves)


def admits(
    operation: Operation, params: Mapping[str, str], operands: list[Any], strict: bool
) -> bool:
    """Whether operands lie in an operation's domains and, if asked, away from its kinks."""
    for slot, operand in zip(operation.slots, operands, strict=True):
        if (strict or not slot.domain.smoothness) and not slot.domain.holds(operand):
            return False
    return not strict or operation.apart is None or operation.apart(params, *operands)
