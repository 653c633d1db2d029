"""What a search has been through: primitives, pairs of them, families, dtypes and orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .. import _jaxprs as jaxprs
from ..verify._programs import inner_programs

KINDS = ("primitives", "pairs", "families", "dtypes", "orders", "oracles", "unheard")


class Coverage:
    """Counts by kind: in how many programs each primitive, pair, family, ... was met."""

    def __init__(self, counts: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._counts = {kind: Counter(dict((counts or {}).get(kind, {}))) for kind in KINDS}

    def __getitem__(self, kind: str) -> Counter[str]:
        return self._counts[kind]

    def add(self, met: Mapping[str, Iterable[str]]) -> None:
        """Count what one program met."""
        for kind, names in met.items():
            self._counts[kind].update(set(names))

    def to_json(self) -> dict[str, dict[str, int]]:
        return {kind: dict(sorted(counter.items())) for kind, counter in self._counts.items()}


def primitives(closed: Any) -> tuple[set[str], set[str]]:
    """The primitives of a program, and the pairs of which the second reads what the first made."""
    names, pairs = set[str](), set[str]()
    pending = [closed]
    while pending:
        jaxpr, _ = jaxprs.open_jaxpr(pending.pop())
        makers: dict[Any, str] = {}
        for equation in jaxpr.eqns:
            name = equation.primitive.name
            names.add(name)
            read = [a for a in equation.invars if not jaxprs.is_literal(a) and a in makers]
            pairs.update(f"{makers[atom]} {name}" for atom in read)
            makers |= dict.fromkeys(equation.outvars, name)
            pending += inner_programs(equation)
    return names, pairs
