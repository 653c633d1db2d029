"""Drawing the functions that loops, branches and nested transforms take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._kinds import BodyKind, Operation, Shape
from ._operations import BY_NAME
from ._program import Body, live
from ._sketch import Sketch, Variable

_MOST_DEPTH = 2  # of bodies within bodies
_ATTEMPTS = 4

Place = Callable[[Sketch, Operation], bool]


def draw_body(
    sketch: Sketch, kind: BodyKind, values: list[Any], shapes: list[Shape], place: Place
) -> Body | None:
    """A body with one to three operations, or None if it came to nothing.

    Its parameters have the values of the first iteration, so its operations are in their domains
    there; those of a loop, which meet others later, are smooth everywhere.
    """
    inner = Sketch(sketch.choices, sketch.dtype, sketch.kinks, (), sketch, kind.closes)
    menu = body_menu(sketch, kind)
    parameters = [inner.add(inner.fresh(), value) for value in kind.parameters(*values)]
    if not menu or any(p.shape is None for p in parameters):
        return None
    inner.menu = menu
    target = sketch.choices.integer(1, 3)
    for _ in range(target + _ATTEMPTS):
        if inner.count >= target:
            break
        mark = inner.mark()
        if not place(inner, sketch.choices.choice(menu)):
            inner.restore(mark)
    results = [_result(inner, shape, kind.loops) for shape in kind.results(*shapes)]
    named = [result.name for result in results if result is not None]
    if len(named) < len(results):
        return None
    steps = live(inner.steps, named)
    names = tuple(p.name for p in parameters)
    return Body(
        inner.fresh(), names, steps, tuple(named), kind.signature, kind.opening, kind.closing
    )


def body_menu(sketch: Sketch, kind: BodyKind) -> tuple[Operation, ...]:
    """Of the outer menu what may stand in a body; its own kind of loops not too deep."""
    menu = sketch.menu
    if all(op.bodies for op in menu):
        menu = tuple(op for op in BY_NAME.values() if not op.bodies and not op.wide)
    deep = sketch.depth + 1 >= _MOST_DEPTH
    if kind.loops:
        return tuple(op for op in menu if op.total)
    return tuple(op for op in menu if not (deep and op.bodies))


def _result(inner: Sketch, shape: Shape | None, loops: bool) -> Variable | None:
    """The last real variable of a shape, made from the last one if there is none."""
    own = [v for v in inner.variables[inner.around :] if not v.is_complex]
    if not own:
        return None
    unused = [v for v in own if v.name in inner.unused] or own
    fitting = [v for v in unused if shape is None or v.shape == shape]
    found: Variable | None
    if fitting:
        found = fitting[-1]
    else:
        made = inner.apply(BY_NAME["resize"], [unused[-1]], {"shape": str(shape)})
        found = made[0] if made else None
    # What a loop carries stays bounded.
    if found is not None and loops and shape is not None and inner.choices.boolean(0.6):
        made = inner.apply(BY_NAME["sin"], [found], {})
        found = made[0] if made else None
    if found is not None:
        inner.unused.discard(found.name)
    return found
