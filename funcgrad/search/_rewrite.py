"""Programs with some variables replaced by others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ._program import Body, Program, Step


def replaced(program: Program, mapping: Mapping[str, str]) -> Program:
    """The program with what reads a variable reading another, followed through chains."""
    steps = tuple(_step(step, mapping) for step in program.steps)
    results = tuple(dict.fromkeys(_result(name, mapping) for name in program.results))
    return dataclasses.replace(program, steps=steps, results=results)


def _name(name: str, mapping: Mapping[str, str]) -> str:
    for _ in range(len(mapping)):
        if name not in mapping:
            break
        name = mapping[name]
    return name


def _result(name: str, mapping: Mapping[str, str]) -> str:
    bare = name.removesuffix(".real")
    return _name(bare, mapping) + (".real" if name.endswith(".real") else "")


def _step(step: Step, mapping: Mapping[str, str]) -> Step:
    operands = tuple(_name(name, mapping) for name in step.operands)
    bodies = tuple(_body(body, mapping) for body in step.bodies)
    return dataclasses.replace(step, operands=operands, bodies=bodies)


def _body(body: Body, mapping: Mapping[str, str]) -> Body:
    steps = tuple(_step(step, mapping) for step in body.steps)
    results = tuple(_name(name, mapping) for name in body.results)
    return dataclasses.replace(body, steps=steps, results=results)
