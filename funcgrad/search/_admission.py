"""Whether a program is sound at its point: well typed, finite, and smooth with a margin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from ._kinds import Operation
from ._program import Program, leaf_names, program_text, run
from ._sketch import host

Admission = Mapping[str, Any]  # the values of the inputs and of the steps' results
_WATCH = "_watch"


class _NotSoundError(Exception):
    pass


def examine(program: Program, strict: bool = True) -> Admission | None:
    """The values of the program's variables, or None if it is not sound.

    Loops and nested transforms run in Python, so that the operands of each step in each iteration
    are seen, but for those inside `vmap`.

    Args:
        program: what to run.
        strict: whether points at kinks and ties are refused.
    """
    steps = {step.results[0]: step for step in program.all_steps}
    values: dict[str, Any] = {**leaf_names(program.inputs)}

    def watch(name: str, operands: list[Any]) -> None:
        step = steps[name]
        if not any(isinstance(operand, jax.core.Tracer) for operand in operands):
            seen = [host(operand) for operand in operands]
            if not admits(step.operation, step.params, seen, strict):
                raise _NotSoundError

    try:
        with jax.disable_jit():
            value, locals_ = _run(program, watch)
    except Exception:
        # Whatever a rewritten program raises, it is no program.
        return None
    values |= locals_
    finite = all(bool(np.isfinite(host(v)).all()) for v in locals_.values())
    sound = np.ndim(value) == 0 and bool(locals_) and finite and bool(np.isfinite(host(value)))
    return values if sound else None


def _run(program: Program, watch: Any) -> tuple[Any, dict[str, Any]]:
    """The value, and the variables outside of bodies."""
    names = [name for step in program.steps for name in step.results]
    source = program_text(program, _WATCH)
    kept = f"    _keep({', '.join(f'{name}={name}' for name in names)})\n    return "
    head, _, tail = source.rpartition("    return ")
    variables: dict[str, Any] = {}
    namespace = run(head + kept + tail, **{_WATCH: watch, "_keep": variables.update})
    return namespace["f"](*namespace["arguments"]), variables


def admits(
    operation: Operation, params: Mapping[str, str], operands: list[Any], strict: bool
) -> bool:
    """Whether operands lie in an operation's domains and, if asked, away from its kinks."""
    for slot, operand in zip(operation.slots, operands, strict=True):
        if (strict or not slot.domain.smoothness) and not slot.domain.holds(operand):
            return False
    return not strict or operation.apart is None or operation.apart(params, *operands)
