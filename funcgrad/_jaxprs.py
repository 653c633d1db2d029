"""Programs as JAX writes them (jaxprs): opened, evaluated, pruned, asked what they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

import jax
from jax import core
from jax.extend import core as extend_core
from jax.interpreters import partial_eval

from . import _jaxcompat as compat
from ._jaxcompat import primitives


def open_jaxpr(closed: Any) -> tuple[Any, list[Any]]:
    """The jaxpr and its constants, on lines with and without a separate class for the pair."""
    return getattr(closed, "jaxpr", closed), list(getattr(closed, "consts", ()))


def close(jaxpr: Any) -> Any:
    """A jaxpr without constants as a closed one, where the line of JAX has a class for the pair."""
    return jaxpr if hasattr(jaxpr, "consts") else vars(extend_core)["ClosedJaxpr"](jaxpr, ())


def twin(closed: Any) -> Any:
    """The same program as another object, which does not keep the given one alive."""
    return closed.replace()


def jaxpr_function(closed: Any) -> Callable[..., list[Any]]:
    """The program as a function of flat arguments, equation by equation."""
    return cast(Callable[..., list[Any]], extend_core.jaxpr_as_fun(closed))


def inlined_body(primitive: Any, params: dict[str, Any]) -> Any:
    """The jaxpr of a jit call that JAX would inline into an enclosing program, else None."""
    if primitive is not primitives.jit_p:
        return None
    inline = params["inline"]
    return params["jaxpr"] if inline is True or getattr(inline, "name", "") == "JAX_EARLY" else None


def is_identity(primitive: Any, operand: Any, params: dict[str, Any]) -> bool:
    """Whether this is a conversion that changes nothing, of a traced operand.

    JAX's own functions leave it out, but for tracers of a value that is known by now.
    """
    if primitive is not primitives.convert_element_type_p or params["sharding"] is not None:
        return False
    aval = operand.aval
    return bool(aval.dtype == params["new_dtype"] and aval.weak_type == params["weak_type"])


def bind_equation(equation: Any, operands: Sequence[Any]) -> list[Any]:
    """Apply one equation of a jaxpr to values; always a list of results."""
    params = equation.primitive.get_bind_params(equation.params)
    results = equation.primitive.bind(*operands, **params)
    return list(results) if equation.primitive.multiple_results else [results]


def applies(params: Mapping[str, Any], primitive: Any) -> bool:
    """Whether a program among the parameters of an equation applies a primitive, at any depth."""
    lists = (value if isinstance(value, (tuple, list)) else (value,) for value in params.values())
    programs = (getattr(entry, "jaxpr", entry) for entries in lists for entry in entries)
    equations = (eqn for program in programs for eqn in getattr(program, "eqns", ()))
    return any(eqn.primitive is primitive or applies(eqn.params, primitive) for eqn in equations)


def is_literal(atom: Any) -> bool:
    return isinstance(atom, extend_core.Literal)


class Flat(NamedTuple):
    """A jaxpr made ready to be run often: every value has a place in one list.

    The places are those of the constants and literals, of the inputs, and of each equation's
    results, in this order.
    """

    fixed: tuple[Any, ...]  # constants and literals
    equations: tuple[tuple[Any, dict[str, Any], tuple[int, ...]], ...]
    outputs: tuple[int, ...]
    plain: bool  # whether to bind an equation takes no more than primitive, operands, parameters


_FLAT: WeakKeyDictionary[Any, Flat] = WeakKeyDictionary()


def flat(closed: Any) -> Flat:
    """A jaxpr made ready to be run often; made once, and kept while the jaxpr lives."""
    known = _FLAT.get(closed)
    return _FLAT.setdefault(closed, _flatten(closed)) if known is None else known


def _flatten(closed: Any) -> Flat:
    jaxpr, consts = open_jaxpr(closed)
    atoms = [atom for eqn in jaxpr.eqns for atom in eqn.invars] + list(jaxpr.outvars)
    literals = [atom for atom in atoms if is_literal(atom)]
    # By identity, for a literal cannot be hashed.
    places = {id(atom): i for i, atom in enumerate((*jaxpr.constvars, *literals, *jaxpr.invars))}
    count = len(consts) + len(literals) + len(jaxpr.invars)
    equations = []
    for eqn in jaxpr.eqns:
        equations.append((eqn.primitive, eqn.params, tuple(places[id(a)] for a in eqn.invars)))
        places |= {id(variable): count + i for i, variable in enumerate(eqn.outvars)}
        count += len(eqn.outvars)
    outputs = tuple(places[id(atom)] for atom in jaxpr.outvars)
    plain = not any("call_jaxpr" in equation.params for equation in jaxpr.eqns)
    fixed = (*consts, *(literal.val for literal in literals))
    return Flat(fixed, tuple(equations), outputs, plain)


def evaluate(closed: Any, args: Sequence[Any], process: Callable[..., Any]) -> list[Any]:
    """Run a jaxpr with a function that applies a primitive to operands and parameters."""
    program = flat(closed)
    values = [*program.fixed, *args]
    for primitive, params, places in program.equations:
        results = process(primitive, [values[place] for place in places], params)
        if primitive.multiple_results:
            values.extend(results)
        else:
            values.append(results)
    return [values[place] for place in program.outputs]


def used_inputs(closed: Any) -> tuple[bool, ...]:
    """Which inputs of a jaxpr its outputs depend on, after dead code is dropped."""
    jaxpr, _ = open_jaxpr(closed)
    _, used = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    return tuple(used[len(used) - len(jaxpr.invars) :])


def discharged(
    primitive: Any, args: Sequence[Any], params: dict[str, Any], chosen: Sequence[bool]
) -> Any:
    """The jaxpr of one primitive, where the chosen references are values: contents in and out.

    The new contents are its last outputs, in the order of the references.
    """

    def once(*values: Any) -> list[Any]:
        results = primitive.bind(*values, **params)
        return list(results) if primitive.multiple_results else [results]

    return compat.discharge_references(jax.make_jaxpr(once)(*args), chosen)


def scan_counts(params: dict[str, Any]) -> tuple[int, int]:
    """How many of a scan's operands are constants, and how many are carried."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()
    return len(consts), len(carry)


def depend_only_on(closed: Any, known: Sequence[bool]) -> list[bool]:
    """For each output of a jaxpr, whether it is computed from the known inputs alone."""
    jaxpr, _ = open_jaxpr(closed)
    settled = {var for var, is_known in zip(jaxpr.invars, known, strict=True) if is_known}
    settled.update(jaxpr.constvars)

    def holds(atom: Any) -> bool:
        return is_literal(atom) or atom in settled

    for equation in jaxpr.eqns:
        if not equation.effects and all(map(holds, equation.invars)):
            settled.update(equation.outvars)
    return [holds(atom) for atom in jaxpr.outvars]


def select_outputs(closed: Any, outputs: Sequence[int]) -> Callable[[Sequence[Any]], list[Any]]:
    """The program for some outputs of a jaxpr; it reads, of all inputs, only those it needs."""
    jaxpr, consts = open_jaxpr(closed)
    wanted = set(outputs)
    pruned, used = partial_eval.dce_jaxpr(jaxpr, [i in wanted for i in range(len(jaxpr.outvars))])
    needs = [i for i, needed in enumerate(used[len(used) - len(jaxpr.invars) :]) if needed]

    def select(inputs: Sequence[Any]) -> list[Any]:
        return core.eval_jaxpr(pruned, consts, *(inputs[i] for i in needs)) if wanted else []

    return select
