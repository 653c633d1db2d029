"""Drawing a random program, one step after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from .._errors import ConfigurationError, GradientTypeError, GradientValueError
from ._bodies import draw_body
from ._choices import Choices, RandomChoices
from ._domains import POOL, RARE
from ._finish import finished
from ._included import included
from ._kinds import Operation, Shape, Slot
from ._operations import BY_NAME, FAMILIES, TABLE
from ._program import Program
from ._sketch import LARGEST, SMALLEST, Sketch, Variable, host

DTYPES = ("float32", "float64", "bfloat16", "float16")
_NARROW = ("bfloat16", "float16")
_MOST_INPUTS = 4
_WANTED = 0.3  # how often an operation that is wanted is drawn
_ROOM = 3  # operations beyond the greatest number, to place one that is wanted
_FALLBACKS = ("sin", "cos", "shift")  # take every operand, and are not zero at the same points


def draw_program(
    generator: np.random.Generator,
    *,
    operations: tuple[int, int] = (4, 16),
    families: Sequence[str] | None = None,
    dtype: str = "float32",
    kinks: bool = False,
    include: Sequence[str] = (),
) -> Program:
    """A random differentiable program.

    Args:
        generator: where randomness comes from; the same state gives the same program.
        operations: the least and the greatest number of operations, those in bodies included.
        families: from which families to draw; adapters may be of others. All if None.
        dtype: "float32", "float64" (if JAX has 64-bit numbers switched on), "bfloat16", "float16".
        kinks: whether points may lie at kinks and ties.
        include: ``"module:function"`` of functions of the user's own, of which each program has
            one at least, where its dtype allows it.

    Returns:
        A `Program`.

    Raises:
        GradientValueError: `operations` is no range, or there is no such family or dtype.
        ConfigurationError: 64-bit numbers are switched off, or a function cannot be included.

    >>> program = draw_program(np.random.default_rng(0), operations=(3, 5))
    >>> 3 <= len(program) <= 5
    True
    """
    least, most = check_options(operations, families, dtype)
    choices = RandomChoices(generator)
    menu, wanted = menu_of(families, dtype), tuple(map(included, include))
    return draw(choices, (least, most), menu, dtype, kinks, wanted)


def check_options(operations: Any, families: Any, dtype: Any) -> tuple[int, int]:
    """The range of `operations`, if the options are possible."""
    pair = isinstance(operations, (tuple, list)) and len(operations) == 2
    if not pair or not all(isinstance(n, (int, np.integer)) for n in operations):
        raise GradientTypeError(
            f"operations must be a pair of integers such as (1, 12), but is {operations!r}"
        )
    if not 1 <= operations[0] <= operations[1]:
        raise GradientValueError(
            "operations must be a least number of at least 1 and a greatest that is not below it, "
            f"but is {operations!r}"
        )
    if isinstance(families, str) or (families is not None and not list(families)):
        raise GradientTypeError(
            f"families must be a sequence of names or None, but is {families!r}; "
            f"the names are {', '.join(FAMILIES)}"
        )
    for family in families or ():
        if family not in FAMILIES:
            raise GradientValueError(
                f"there is no family {family!r} of operations; there are {', '.join(FAMILIES)}"
            )
    _check_dtype(dtype)
    return int(operations[0]), int(operations[1])


def _check_dtype(dtype: Any) -> None:
    if dtype not in DTYPES:
        raise GradientValueError(f"dtype must be one of {', '.join(DTYPES)}, but is {dtype!r}")
    if dtype == "float64" and not jax.config.jax_enable_x64:
        raise ConfigurationError(
            'dtype="float64" needs 64-bit numbers, which are switched off; '
            'switch them on by jax.config.update("jax_enable_x64", True)'
        )


def menu_of(families: Sequence[str] | None, dtype: str) -> tuple[Operation, ...]:
    """The operations of some families that exist in a dtype."""
    narrow = dtype in _NARROW
    chosen = [op for op in TABLE if families is None or op.family in families]
    menu = tuple(op for op in chosen if not (narrow and op.wide))
    if not menu:
        raise GradientValueError(
            f"no operation of the families {', '.join(families or ())} takes {dtype}; "
            "add a family, or draw in float32"
        )
    return menu


def draw(
    choices: Choices,
    operations: tuple[int, int],
    menu: Sequence[Operation],
    dtype: str,
    kinks: bool,
    wanted: Sequence[Operation] = (),
) -> Program:
    """A program of operations from a menu, with one at least of those that are wanted."""
    sketch = Sketch(choices, dtype, kinks, (*menu, *wanted))
    target = choices.integer(*operations)
    for _ in range(3 * target + 6):
        if sketch.count >= target:
            break
        source = wanted if wanted and choices.boolean(_WANTED) else menu
        try_to_place(sketch, choices.choice(source), operations[1])
    if wanted and not any(step.operation in wanted for step in sketch.steps):
        try_to_place(sketch, choices.choice(wanted), operations[1] + _ROOM)
    while sketch.count < operations[0]:
        if not any(try_to_place(sketch, BY_NAME[name], operations[1]) for name in _FALLBACKS):
            break
    return finished(sketch)


def try_to_place(sketch: Sketch, operation: Operation, most: int) -> bool:
    """Add an operation with what leads its operands to it, or nothing."""
    mark = sketch.mark()
    if place(sketch, operation) and sketch.count <= most:
        return True
    sketch.restore(mark)
    return False


def place(sketch: Sketch, operation: Operation) -> bool:
    operands = _operands(sketch, operation)
    if operands is None:
        return False
    shapes = [operand.shape for operand in operands]
    drawn = operation.params(sketch.choices, *shapes) if operation.params else {}
    if drawn is None:
        return False
    if operation.apart and not sketch.kinks:
        values = [host(operand.value) for operand in operands]
        if not operation.apart(drawn, *values):
            return False
    bodies = []
    for kind in operation.bodies:
        body = draw_body(sketch, kind, [operand.value for operand in operands], shapes, place)
        if body is None:
            return False
        bodies.append(body)
    results = sketch.apply(operation, operands, drawn, tuple(bodies))
    return results is not None and all(_rescaled(sketch, result) for result in results)


def _rescaled(sketch: Sketch, result: Variable) -> bool:
    """Lead a result that is too large or too small back to moderate numbers."""
    size = float(np.abs(host(result.value)).max())
    if SMALLEST < size < LARGEST:
        return True
    number = f"{10.0 ** -np.ceil(np.log10(size)):.4g}"
    return sketch.apply(BY_NAME["scale"], [result], {"number": number}) is not None


def _operands(sketch: Sketch, operation: Operation) -> list[Variable] | None:
    operands: list[Variable] = []
    for slot in operation.slots:
        found = _operand(sketch, slot, operands)
        if found is None:
            return None
        operands.append(found)
    mixed = len({operand.is_complex for operand in operands}) > 1
    # Outside of the elementwise family JAX's operations take operands of one dtype.
    if (
        mixed
        and operation.family != "elementwise"
        and all("c" in s.dtypes for s in operation.slots)
    ):
        changed = [v if v.is_complex else _converted(sketch, v, "to_complex") for v in operands]
        return [v for v in changed if v] if all(changed) else None
    return operands


def _operand(sketch: Sketch, slot: Slot, earlier: list[Variable]) -> Variable | None:
    """A variable that fits a slot: found, or made from one, or a new input."""
    before = [operand.shape for operand in earlier]
    used = {operand.name for operand in earlier}
    if slot.dtypes == "c":  # what was made complex from one variable is proportional to it
        used |= {
            name for step in sketch.steps if used & set(step.results) for name in step.operands
        }
    fitting = [v for v in reversed(sketch.variables) if slot.fits(v.shape, *before)]
    # Shapes of the pool were compiled for before; the others mostly stay results.
    if sketch.choices.boolean(0.95):
        fitting = [v for v in fitting if v.shape in POOL] or fitting[:0]
    # An operand twice, as in x - x, is the exception.
    other = [v for v in fitting if v.name not in used]
    if earlier and not (sketch.choices.boolean(0.1) and fitting):
        fitting = other
    found = _chosen(sketch, fitting) if fitting else _made(sketch, slot, before)
    if found is not None and not found.is_complex and "f" not in slot.dtypes:
        found = _converted(sketch, found, "to_complex")
    elif found is not None and found.is_complex and "c" not in slot.dtypes:
        found = _converted(
            sketch, found, sketch.choices.choice(("real", "imag", "real_minus_imag"))
        )
    return None if found is None else sketch.adapt(found, slot.domain)


def _chosen(sketch: Sketch, fitting: list[Variable]) -> Variable:
    """One of the last, and rather one that nothing has read yet."""
    unused = [v for v in fitting if v.name in sketch.unused]
    if unused and sketch.choices.boolean(0.7):
        fitting = unused
    last = min(len(fitting), 8) - 1
    back = min(sketch.choices.integer(0, last), sketch.choices.integer(0, last))
    return fitting[back]


def _made(sketch: Sketch, slot: Slot, before: list[Shape]) -> Variable | None:
    shapes = [s for s in POOL if slot.fits(s, *before)]
    shapes = shapes or [s for s in dict.fromkeys([*before, *RARE]) if slot.fits(s, *before)]
    if not shapes:
        return None
    shape = sketch.choices.choice(shapes)
    room = sketch.depth == 0 and len(sketch.inputs) < _MOST_INPUTS
    if not sketch.variables or (room and sketch.choices.boolean(0.7)):
        return sketch.new_input(shape, slot.domain) if sketch.depth == 0 else None
    found = sketch.apply(
        BY_NAME["resize"], [_chosen(sketch, sketch.variables[::-1])], {"shape": str(shape)}
    )
    return found[0] if found else None


def _converted(sketch: Sketch, variable: Variable, name: str) -> Variable | None:
    if BY_NAME[name].wide and sketch.dtype in _NARROW:
        return None
    found = sketch.apply(BY_NAME[name], [variable], {})
    return found[0] if found else None
