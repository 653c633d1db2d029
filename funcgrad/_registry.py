"""The table of VJP rules, the forms in which a rule is declared, and what a declaration must say.

A rule says how a cotangent flows back through one primitive. Its functions take their arguments in
one order: cotangent, output, operands, and by keyword the primitive's parameters. (An elementwise
partial takes none.) An argument whose name begins with `_` is a type: no value is kept for it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from . import _jaxcompat as compat
from ._errors import MissingRuleError, RuleError, UnknownParameterError


class Pullback(NamedTuple):
    """One function of a rule, with what it reads."""

    function: Callable[..., Any]
    reads_output: bool
    reads_operands: tuple[bool, ...]
    reads_rest: bool  # of a variadic primitive: the operands beyond those that are named
    params: tuple[str, ...]


class Over(NamedTuple):
    """The partial 1 / denominator: the cotangent is divided, which rounds once and not twice."""

    denominator: Any


class Quotient(NamedTuple):
    """The partial numerator / operand; of a stretched operand the sum is divided."""

    numerator: Any
    denominator: Any


class Case(NamedTuple):
    """A call that exercises a rule: tests, audits and random programs are drawn from these.

    Attributes:
        function: a function of arrays that reaches the primitive.
        domains: for each argument, the open interval from which smooth points are drawn.
        shapes: for each argument, its shape.
        kinks: values of the first argument at which the function has a kink or a tie.
        dtypes: the kinds of numbers that the primitive takes: "f" real, "c" complex.
        order: up to which order the derivative can be compared with JAX's.
        note: why the case is as it is.
    """

    function: Callable[..., Any]
    domains: tuple[tuple[float, float], ...]
    shapes: tuple[tuple[tuple[int, ...], ...], ...]
    kinks: tuple[float, ...] = ()
    dtypes: str = "f"
    order: int = 2
    note: str = ""


class Rule(NamedTuple):
    """How cotangents flow back through one primitive."""

    primitive: Any
    family: str  # elementwise, linear, general, joint, structured or none
    pullbacks: tuple[Pullback | None, ...]
    known: frozenset[str]
    cases: tuple[Case, ...]
    where: str
    forward: Callable[..., Any] | None = None  # structured rules run the primal themselves
    bounded: bool = False  # of an elementwise rule: its partial is finite for every finite operand
    tangents: Callable[..., Any] | None = None  # of a structured rule: its forward mode


class Plan(NamedTuple):
    """What a step must keep when the operands marked as needed take a cotangent."""

    rule: Rule
    needed: tuple[bool, ...]
    keep_output: bool
    keep_operands: tuple[bool, ...]
    missing: int | None  # an operand that needs a cotangent and has no function


_RULES: dict[Any, Rule] = {}
_FOREIGN: dict[str, tuple[str, str, Callable[[Any], None]]] = {}


def lookup(primitive: Any) -> Rule | None:
    rule = _RULES.get(primitive)
    return _adopt(primitive) if rule is None else rule


def _adopt(primitive: Any) -> Rule | None:
    """Declare the rule of another package's primitive when it is first met."""
    found = _FOREIGN.get(primitive.name)
    # Another package may use the name too; and a primitive that is met has its module imported.
    if found is None or getattr(sys.modules.get(found[0]), found[1], None) is not primitive:
        return None
    found[2](primitive)
    return _RULES[primitive]


def rules() -> dict[Any, Rule]:
    """A copy of the table, for tests, audits and listings; of other packages, what was met."""
    return dict(_RULES)


# --- declaring ------------------------------------------------------------------------------------


def elementwise(
    primitive: Any,
    *partials: Callable[..., Any] | None,
    ignores: Sequence[str] = (),
    cases: Sequence[Case] = (),
    bounded: bool = False,
) -> None:
    """Declare the local partial derivative of the output by each operand: ``(y, *xs, **params)``.

    A partial may return the number 1 or -1 (no product is formed), `Over(x)` for 1 / x, or
    `Quotient(a, x)` for a / x. A `bounded` one, finite for finite operands, needs one selection.
    """
    _add(primitive, "elementwise", partials, ignores, cases, leading=1, bounded=bounded)


def linear(
    primitive: Any,
    *transposes: Callable[..., Any] | None,
    ignores: Sequence[str] = (),
    cases: Sequence[Case] = (),
) -> None:
    """Declare the transpose of a linear primitive, one for each operand in which it is linear."""
    _add(primitive, "linear", transposes, ignores, cases, leading=2)


def general(
    primitive: Any,
    *pullbacks: Callable[..., Any] | None,
    ignores: Sequence[str] = (),
    cases: Sequence[Case] = (),
) -> None:
    """Declare one pullback for each operand; ``None`` where no cotangent can flow."""
    _add(primitive, "general", pullbacks, ignores, cases, leading=2)


def joint(
    primitive: Any,
    pullback: Callable[..., Any],
    *,
    ignores: Sequence[str] = (),
    cases: Sequence[Case] = (),
) -> None:
    """Declare one pullback that returns a sequence with the cotangents of all operands."""
    _add(primitive, "joint", (pullback,), ignores, cases, leading=2)


def structured(
    primitive: Any,
    forward: Callable[..., Any] | None,
    backward: Callable[..., Any],
    cases: Sequence[Case] = (),
    tangents: Callable[..., Any] | None = None,
) -> None:
    """Declare a primitive that carries programs.

    `forward(context, needed, operands, params)` computes the outputs and returns them with a pytree
    to keep; `backward(kept, needed, cotangents)` returns the operands' cotangents; and
    `tangents(context, params, operands, tangents)` the outputs and their tangents, or None where a
    body has none; missing ones are ``None``. Calls of custom rules have no `forward`: JAX hands
    them to the trace by a method of their own.
    """
    pull, known = (Pullback(backward, False, (), False, ()),), frozenset[str]()
    rule = Rule(primitive, "structured", pull, known, tuple(cases), _caller(2), forward)
    _insert(rule._replace(tangents=tangents))


def no_derivative(*primitives: Any) -> None:
    """List primitives whose outputs never carry a gradient."""
    for primitive in primitives:
        _insert(Rule(primitive, "none", (), frozenset(), (), _caller(2)))


def foreign(name: str, module: str, attribute: str, declare: Callable[[Any], None]) -> None:
    """List a primitive of another package: `declare` is called with it when it is first met."""
    _FOREIGN[name] = (module, attribute, declare)


def _add(
    primitive: Any,
    family: str,
    functions: Sequence[Callable[..., Any] | None],
    ignores: Sequence[str],
    cases: Sequence[Case],
    leading: int,
    bounded: bool = False,
) -> None:
    pullbacks = tuple(None if f is None else _inspect(f, primitive, leading) for f in functions)
    named = {name for pull in pullbacks if pull is not None for name in pull.params}
    known = frozenset(named | set(ignores))
    _insert(Rule(primitive, family, pullbacks, known, tuple(cases), _caller(3), None, bounded))


def _inspect(function: Callable[..., Any], primitive: Any, leading: int) -> Pullback:
    """Read from a function's signature which values it needs."""
    parameters = list(inspect.signature(function).parameters.values())
    fixed = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    rest = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise RuleError(
            f"the rule for `{primitive}` takes **{parameters[-1].name}; name each parameter of the "
            "primitive, so that one added by a newer JAX is an error and not a wrong gradient"
        )
    if len(fixed) < leading:
        raise RuleError(
            f"a function of the rule for `{primitive}` takes {len(fixed)} positional arguments; "
            f"at least {leading} are expected before the operands"
        )
    reads = [not p.name.startswith("_") for p in fixed]
    return Pullback(
        function,
        reads_output=reads[leading - 1],
        reads_operands=tuple(reads[leading:]),
        reads_rest=bool(rest) and not rest[0].name.startswith("_"),
        params=tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
    )


def _caller(depth: int) -> str:
    frame = inspect.currentframe()
    for _ in range(depth):
        frame = frame.f_back if frame is not None else None
    return "unknown" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _insert(rule: Rule) -> None:
    earlier = _RULES.get(rule.primitive)
    if earlier is not None:
        raise RuleError(
            f"primitive `{rule.primitive}` has a rule at {earlier.where} and another at "
            f"{rule.where}; remove one of them"
        )
    _RULES[rule.primitive] = rule


# --- using ----------------------------------------------------------------------------------------


@cache
def plan(primitive: Any, needed: tuple[bool, ...]) -> Plan:
    """What to keep for a primitive with a rule. Cached: asked for at every step."""
    rule = _RULES[primitive]
    used: dict[int, Pullback | None] = dict(enumerate(rule.pullbacks))
    if rule.family not in {"joint", "structured"}:  # of which one function serves all operands
        used = {i: used.get(i) for i, wanted in enumerate(needed) if wanted}
    pulls = [pull for pull in used.values() if pull is not None]
    keep = [any(_reads(pull, i) for pull in pulls) for i in range(len(needed))]
    missing = next((i for i, pull in used.items() if pull is None), None)
    return Plan(rule, needed, any(pull.reads_output for pull in pulls), tuple(keep), missing)


def _reads(pull: Pullback, operand: int) -> bool:
    if operand < len(pull.reads_operands):
        return pull.reads_operands[operand]
    return pull.reads_rest


def check_params(rule: Rule, params: Mapping[str, Any]) -> None:
    """Raise `UnknownParameterError` for a parameter that the rule does not know."""
    if rule.known.issuperset(params):
        return
    name = next(name for name in params if name not in rule.known)
    raise UnknownParameterError(
        f"primitive `{rule.primitive}` came with the parameter {name}={params[name]!r}, "
        f"which its rule at {rule.where} does not know; this JAX may be newer than the "
        "rule: teach the rule the parameter, or list it under `ignores`"
    )


def pullback_params(pull: Pullback, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those parameters that one function of a rule takes."""
    return {name: params[name] for name in pull.params if name in params} if pull.params else {}


def missing_rule(
    primitive: Any, args: Sequence[Any], detail: str = " has none"
) -> MissingRuleError:
    """The error for a primitive without a rule, with the user's line and the ways out."""
    where = compat.user_line()
    shapes = ", ".join(str(compat.typeof(arg)) for arg in args)
    return MissingRuleError(
        f"no VJP rule: primitive `{primitive}`{detail}, applied to ({shapes}) at {where}; register "
        "one with funcgrad.register_vjp, or cut the value before it with funcgrad.detach if no "
        "gradient shall flow through it"
    )
