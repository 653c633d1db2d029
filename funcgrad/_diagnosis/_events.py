"""What a watched run writes down: operations, the values that they read and write, the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax

from .. import _jaxcompat as compat
from .._tape import Step
from ._loops import Piece
from ._places import Frames

Key = tuple[str, int] | None  # which value it is: of the tape, or an array; None: a number


class Event(NamedTuple):
    """One operation that was carried out."""

    number: int
    primitive: str
    operands: tuple[Any, ...]
    outputs: tuple[Any, ...]
    reads: tuple[Key, ...]
    writes: tuple[Key, ...]
    step: Step | None  # on the tape, if it carries a gradient
    frames: Frames
    inside: tuple[str, ...]  # the loops around it
    calls: tuple[str, ...]  # the names of the programs around it
    inner: Watched | None = None  # what a custom rule did
    piece: Piece | None = None  # of a loop too long to be unrolled

    @property
    def cuts(self) -> bool:
        """Whether a value that carries a gradient goes in and none comes out."""
        tracked = any(key is not None and key[0] == "slot" for key in self.reads)
        return tracked and not any(key is not None and key[0] == "slot" for key in self.writes)


class Watched(NamedTuple):
    """All that happened while a function ran."""

    events: tuple[Event, ...]
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]
    values: tuple[Any, ...]  # of the outputs
    implicit: Mapping[Key, tuple[Key, ...]] = MappingProxyType({})  # by conditions


def finite(value: Any) -> bool:
    """Whether an array holds no NaN and no infinity."""
    if not compat.is_inexact(compat.typeof(value)):
        return True
    return bool(jax.numpy.isfinite(value).all())
