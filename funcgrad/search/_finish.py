"""From a sketch to a program: pytrees of arguments, and names in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from ._choices import Choices
from ._program import Body, Program, Step, leaf_names
from ._sketch import Sketch

KEYS = ("a", "b", "c", "d", "e", "g")


def finished(sketch: Sketch) -> Program:
    """The program: the results are what no step has read, so that nothing is drawn in vain."""
    results = [
        v for v in sketch.variables if v.name in sketch.unused and v.name not in sketch.inputs
    ]
    names = tuple(f"{v.name}.real" if v.is_complex else v.name for v in results)
    read = set().union(*(step.reads() for step in sketch.steps))
    inputs = {name: value for name, value in sketch.inputs.items() if name in read}
    tree = _tree(sketch.choices, list(inputs.values()))
    mapping = dict(zip(inputs, leaf_names(tree), strict=True))
    program = Program(
        tree, tuple(sketch.steps), names, sketch.dtype, wide=bool(jax.config.jax_enable_x64)
    )
    return renamed(program, mapping)


def _tree(choices: Choices, leaves: list[Any]) -> tuple[Any, ...]:
    """Arguments: mostly arrays, else a dictionary or nested tuples of them."""
    form = choices.integer(0, 5)
    if form <= 2 or len(leaves) < 2:
        return tuple(leaves)
    if form == 3:
        return (dict(zip(KEYS, leaves, strict=False)),)
    if form == 4:
        return (leaves[0], (*leaves[1:],))
    return (leaves[0], {"a": leaves[1], "rest": list(leaves[2:])})


def renamed(program: Program, mapping: Mapping[str, str]) -> Program:
    """The program with its inputs called as given, and its variables v1, v2 ... in order."""
    names = dict(mapping)
    steps = tuple(_renamed_step(step, names) for step in program.steps)
    results = tuple(_renamed_result(name, names) for name in program.results)
    return dataclasses.replace(program, steps=steps, results=results)


def _number(names: dict[str, str]) -> str:
    names["#"] = str(int(names.get("#", "0")) + 1)
    return f"v{names['#']}"


def _renamed_step(step: Step, names: dict[str, str]) -> Step:
    bodies = tuple(_renamed_body(body, names) for body in step.bodies)
    operands = tuple(names.get(name, name) for name in step.operands)
    for name in step.results:
        names[name] = _number(names)
    results = tuple(names[name] for name in step.results)
    return dataclasses.replace(step, operands=operands, results=results, bodies=bodies)


def _renamed_body(body: Body, names: dict[str, str]) -> Body:
    for name in body.parameters:
        names[name] = _number(names)
    parameters = tuple(names[name] for name in body.parameters)
    steps = tuple(_renamed_step(step, names) for step in body.steps)
    results = tuple(names.get(name, name) for name in body.results)
    names["##"] = str(int(names.get("##", "0")) + 1)
    name = f"body{names['##']}"
    return dataclasses.replace(body, name=name, parameters=parameters, steps=steps, results=results)


def _renamed_result(name: str, names: dict[str, str]) -> str:
    bare = name.removesuffix(".real")
    return names.get(bare, bare) + (".real" if name.endswith(".real") else "")
