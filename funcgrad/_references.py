"""Mutable references (`jax.new_ref`) under the recorder.

A reference that is made while a function is recorded is a cell that holds a value of the recorder.
Reading gives what the cell holds; writing puts another value there. What a program does to the
references that it is handed is first rewritten by JAX as a program of values (their contents in,
their new contents out), so the tape never sees a reference, and every rule stays a pure function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax import lax

from . import _jaxcompat as compat
from . import _jaxprs as jaxprs
from ._errors import GradientTypeError, MissingRuleError
from ._jaxcompat import primitives as p

SLOT = -1  # of a reference: no cotangent goes there, but the recorder must see to it

CREATING = frozenset({p.ref_p, p.empty_ref_p})


class Cell:
    """What a reference stands for: a place that holds a value."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def process(
    trace: Any,
    primitive: Any,
    args: Sequence[Any],
    params: dict[str, Any],
    reads: Sequence[int | None],
) -> Any:
    """Make a reference, read it for the last time, or apply a primitive to what some hold."""
    if primitive in CREATING:
        with compat.set_current_trace(trace.parent):
            start = compat.as_array(args[0]) if args else _unwritten(params["ty"])
        return trace.reference(Cell(start), compat.reference_type(compat.typeof(start), params))
    if primitive is p.freeze_p:
        return args[0].primal.value
    if primitive is p.free_ref_p:
        return []
    results = _apply(trace, primitive, args, params, [slot == SLOT for slot in reads])
    return results if primitive.multiple_results else results[0]


def _unwritten(aval: Any) -> Any:
    return lax.full(aval.shape, 0, aval.dtype)


def _apply(
    trace: Any, primitive: Any, args: Sequence[Any], params: dict[str, Any], mine: Sequence[bool]
) -> list[Any]:
    """The primitive's results; the cells of the references marked as `mine` get new contents."""
    cells = [arg.primal for arg, own in zip(args, mine, strict=True) if own]
    values = [arg.primal.value if own else arg for arg, own in zip(args, mine, strict=True)]
    with compat.set_current_trace(trace.parent):
        program = jaxprs.discharged(primitive, args, params, mine)
    results: list[Any] = trace.inline(program, values)
    count = len(results) - len(cells)
    for cell, value in zip(cells, results[count:], strict=True):
        cell.value = value
    return results[:count]


# --- what cannot be done --------------------------------------------------------------------------


def refusal(primitive: Any, args: Sequence[Any]) -> MissingRuleError | None:
    """The error for a value that carries a gradient and leaves the function by a reference."""
    if primitive not in {p.swap_p, p.addupdate_p}:
        return None
    where = compat.user_line()
    return MissingRuleError(
        f"`{primitive}` at {where} stores a value that carries a gradient in a reference of type "
        f"{compat.typeof(args[0])} that was made outside of the differentiated function; make the "
        "reference inside of it with jax.new_ref and return what it holds, or store "
        "funcgrad.detach(value) if no gradient shall flow through it"
    )


def refuse_outputs(slots: Sequence[int | None]) -> None:
    """Raise `GradientTypeError` if a reference is among the outputs of a recorded function."""
    if SLOT in slots:
        raise GradientTypeError(
            f"output {list(slots).index(SLOT)} of the differentiated function is a mutable "
            "reference; arrays are expected: return what it holds, `ref[...]`"
        )
