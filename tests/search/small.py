"""Small programs for the tests of the search."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcgrad.search._choices import Choices
from funcgrad.search._draw import menu_of, try_to_place
from funcgrad.search._finish import finished
from funcgrad.search._kinds import Operation
from funcgrad.search._operations import BY_NAME
from funcgrad.search._program import Program, Step
from funcgrad.search._sketch import Sketch


def program(*operations: str | Operation, point: Any = (0.5, -1.0), **options: Any) -> Program:
    """Operations of one operand, one after the other."""
    names = ["x", *(f"v{i + 1}" for i in range(len(operations)))]
    steps = tuple(
        Step(BY_NAME[op] if isinstance(op, str) else op, (names[i],), (names[i + 1],))
        for i, op in enumerate(operations)
    )
    return Program((np.asarray(point, np.float32),), steps, (names[-1],), **options)


def draw_one(choices: Choices, name: str, before: int = 0) -> Program | None:
    """A program that ends in an operation, with what it needs; None if it was not placed."""
    menu = menu_of(None, "float32")
    for _ in range(40):
        sketch = Sketch(choices, "float32", False, menu)
        for _ in range(before):
            try_to_place(sketch, choices.choice(menu), 100)
        if try_to_place(sketch, BY_NAME[name], 100):
            return finished(sketch)
    return None


def custom(slope: str, template: str = "wrong({0})") -> Operation:
    """A sine with a rule of its own; `slope` is an expression of x."""
    text = (
        "@jax.custom_vjp\ndef wrong(x):\n    return jnp.sin(x)\n\n\n"
        f"wrong.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * ({slope}),))\n"
    )
    return BY_NAME["sin"]._replace(name="custom_sin", template=template, definitions=text)
