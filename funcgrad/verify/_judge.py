"""Verdicts on differences: which are faults, and which are kinks or the reference's own.

A difference between reference and tested derivative that rounding does not explain is taken to the
numerical derivative at that element. Where it bears the tested derivative out, there is no fault;
where the point is a kink, the question is whether the gradient is an acceptable one; in all other
cases the reference stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._batch import Runner
from ._compare import Comparison, rerounded
from ._customs import Customs
from ._differences import Estimate
from ._findings import RIGHT, WRONG, Finding
from ._kinkpoints import accepts
from ._lines import against, estimates, unit, wide_point
from ._meaning import meaning
from ._meaning_cotangent import of_cotangents
from ._problem import Problem
from ._programs import FORWARD, GRADIENT, SECOND, VALUE

Array = NDArray[Any]
Index = tuple[int, ...]
GIVEN = "the given point"
_ROWS_TRIED = 10  # places with differences that are looked into
_ELEMENTS_TRIED = 3
_COARSE = 1e-4  # relative: what is off by more is no rounding in 64 bits
_WITNESS = "the primal body in 64 bits, differentiated by funcgrad's engine without custom rules"


class Programs(NamedTuple):
    """What is run: the function, its derivative as it ought to be, and the one under test."""

    values: Runner
    reference: Runner
    tested: Runner


class Place(NamedTuple):
    """One element of one part in one row."""

    part: str
    row: int
    leaf: int
    index: Index  # type: ignore[assignment] # hides tuple.index, which nobody misses


class Judge:
    """Goes through the differences of a comparison."""

    def __init__(
        self, problem: Problem, programs: Programs, found: Comparison, customs: Customs
    ) -> None:
        self.problem, self.programs, self.found = problem, programs, found
        self._customs = customs
        self._is_rerounded = self._is_refuted = False

    def findings(self) -> list[Finding]:
        """The faults, one for each part and input."""
        findings: list[Finding] = []
        for part in self.found.expected:
            if part in (FORWARD, SECOND) and any(f.kind == GRADIENT for f in findings):
                continue  # the same fault once more
            if part in (FORWARD, SECOND) and self._is_refuted:
                continue  # the body is no program to differentiate: a staircase, a search
            findings += self._part(part)
        return findings or self._undefined()

    def _undefined(self) -> list[Finding]:
        """What is NaN at the given point, by the reference too, though the function is smooth."""
        for leaf, gradient in enumerate(self.found.received.get(GRADIENT, [])):
            for index in np.argwhere(np.isnan(gradient[0]))[:_ELEMENTS_TRIED]:
                place = Place(GRADIENT, 0, leaf, tuple(int(i) for i in index))
                line = _line(self.programs, self.found, place)
                if line.kind == "smooth":
                    return [self._fault(place, line)]
        return []

    def _part(self, part: str) -> Iterator[Finding]:
        settled: set[int] = set()
        for row in _candidates(self.found, self.found.excess(part))[:_ROWS_TRIED]:
            for leaf in range(len(self.found.expected[part])):
                finding = None if leaf in settled else self._leaf(part, row, leaf)
                if finding is not None:
                    settled.add(leaf)
                    yield finding

    def _leaf(self, part: str, row: int, leaf: int) -> Finding | None:
        """The fault of one input in one row, if it has one."""
        for index in _worst(self.found.excess(part)[leaf][row]):
            place = Place(part, row, leaf, index)
            if self._excess(place) > 0:
                finding = self._at(place)
                if finding is not None:
                    return finding
        return None

    def _excess(self, place: Place) -> float:
        return float(self.found.excess(place.part)[place.leaf][(place.row, *place.index)])

    def _is_rounding(self, place: Place) -> bool:
        """Whether rounding in 64 bits explains a difference."""
        if not self._is_rerounded:
            self.found = rerounded(self.found, self.programs.reference, self.programs.tested)
            self._is_rerounded = True
        return self._excess(place) == 0

    def _at(self, place: Place) -> Finding | None:
        if place.part.startswith(VALUE):
            return None if self._is_rounding(place) else _finding(self.problem, self.found, place)
        if self._is_excused(place):
            return None
        line = _line(self.programs, self.found, place)
        if line.kind not in ("smooth", "unknown"):
            return None if self._is_accepted(place, line) else self._fault(place, line)
        says = _says(line, place, self.found)
        self._is_refuted |= says == "received"
        if line.kind == "unknown" and self.found.rows[place.row].is_mined:
            return None
        doubtful = says == "nothing" or self._excess(place) < _COARSE
        if says == "received" or (doubtful and self._is_rounding(place)):
            return None
        return self._fault(place, line)

    def _is_excused(self, place: Place) -> bool:
        """Whether nobody asked: about a formula without a value where it divides zero by zero, or
        about an iteration where it does not converge."""
        row = self.found.rows[place.row]
        is_broken = not np.isfinite(_element(self.found.received, place))
        if is_broken:
            return row.is_degenerate or (row.is_mined and not self._customs.own)
        return row.is_mined and self._customs.loops

    def _is_accepted(self, place: Place, line: Estimate) -> bool:
        """Whether the element is a possible one at a kink."""
        if place.part != GRADIENT:
            return True
        gradient = [r[place.row] for r in self.found.received[GRADIENT]]
        return accepts(
            self.programs.reference, self.programs.values, self.found.rows[place.row], gradient,
            place.leaf, place.index, line,
        )  # fmt: skip

    def _fault(self, place: Place, line: Estimate) -> Finding:
        found = _finding(self.problem, self.found, place, line)
        if self.found.rows[place.row].is_mined and not self._customs.own:
            # JAX's own formula, away from where it was asked about.
            return found._replace(verdict=RIGHT, message=f"elsewhere, {found.message}")
        return found


def _candidates(found: Comparison, excess: Sequence[Array]) -> list[int]:
    """The rows that differ: the given point first, then by how much."""
    rows = len(found.rows)
    worst = np.max([over.reshape(rows, -1).max(axis=1, initial=0) for over in excess], axis=0)
    differing = [i for i in range(rows) if worst[i] > 0 and found.known[i]]
    return sorted(
        differing,
        key=lambda i: (
            found.rows[i].point != GIVEN,
            i if found.rows[i].point == GIVEN else -worst[i],
        ),
    )


def _worst(over: Array) -> list[Index]:
    """The element that is off most, and another one; a kink may hide a fault beside it."""
    order = np.argsort(-over.ravel(), kind="stable")
    first, middle = order[0], order[int(np.count_nonzero(over)) // 2]
    chosen = [k for k in (first, middle) if over.ravel()[int(k)] > 0]
    return [
        tuple(int(i) for i in np.unravel_index(int(k), over.shape)) for k in dict.fromkeys(chosen)
    ]


def _element(side: dict[str, list[Array]], place: Place) -> Any:
    return side[place.part][place.leaf][(place.row, *place.index)]


def _phase(found: Comparison, place: Place) -> complex:
    """For a complex element the direction in which it is off."""
    apart = _element(found.received, place) - _element(found.expected, place)
    if not np.iscomplexobj(apart) or not np.isfinite(apart) or apart == 0:
        return 1.0
    return complex(np.conj(apart) / abs(apart))


def _line(programs: Programs, found: Comparison, place: Place) -> Estimate:
    """The numerical derivative that an element of a part stands for."""
    row, phase = found.rows[place.row], _phase(found, place)
    if place.part == FORWARD:
        weights = [np.zeros_like(a[place.row]) for a in found.values]
        weights[place.leaf][place.index] = phase
        measure, direction = against(VALUE, weights), wide_point(row.ws)
    else:
        direction = unit(row.xs, place.leaf, place.index, phase)
        measure = against(VALUE, row.cs) if place.part == GRADIENT else against(GRADIENT, row.ws)
    runner = programs.reference if place.part == SECOND else programs.values
    return estimates(runner, row, measure, [direction])[0]


def _says(line: Estimate, place: Place, found: Comparison) -> str:
    """With which side a numerical derivative agrees: "expected", "received", or "nothing" if it
    agrees with both or with none."""
    phase = _phase(found, place)
    slack = line.error + 1e-9 * abs(line.value)
    wanted = abs(np.real(phase * _element(found.expected, place)) - line.value) <= slack
    given = abs(np.real(phase * _element(found.received, place)) - line.value) <= slack
    if bool(wanted) == bool(given):
        return "nothing"
    return "expected" if wanted else "received"


# --- findings -------------------------------------------------------------------------------------

_MESSAGES = {
    VALUE: "the value computed along with the gradient differs from the plain value",
    "value, forward": "the value computed along with the tangent differs from the plain value",
    GRADIENT: "the gradient is wrong",
    FORWARD: "the forward derivative (jvp) is wrong",
    SECOND: "the second derivative is wrong, that is the derivative of the gradient",
}


def _finding(
    problem: Problem, found: Comparison, place: Place, line: Estimate | None = None
) -> Finding:
    row, received = found.rows[place.row], _element(found.received, place)
    expected = _element(found.expected, place)
    if line is not None and not np.isfinite(expected):
        expected = line.value
    kind = "nan" if np.isnan(received) and place.part == GRADIENT else place.part
    message = _MESSAGES[place.part] + (": NaN where it exists" if kind == "nan" else "")
    of_input = place.part in (GRADIENT, SECOND)
    under = row.cotangent if of_input else row.what
    return Finding(
        {"value, forward": VALUE}.get(kind, kind), WRONG, f"{message} {under}".rstrip(),
        _WITNESS, row.point, problem.names[place.leaf] if of_input else "the output",
        place.index, number(expected), number(received), float(_element(found.allowed, place)),
        _usual(problem, found, place, kind) if of_input else "", "", line,
    )  # fmt: skip


def _usual(problem: Problem, found: Comparison, place: Place, kind: str) -> str:
    """What the error usually means."""
    row, part, leaf = place.row, place.part, place.leaf
    sides = (found.expected[part], found.received[part])
    triples = [
        (e[row], r[row], np.asarray(x)) for e, r, x in zip(*sides, found.rows[row].xs, strict=True)
    ]
    others = [triple for k, triple in enumerate(triples) if k != leaf]
    words = _of_cotangents(found, place) or meaning(
        *triples[leaf], others, found.allowed[part][leaf][row], problem.devices.sizes
    )
    hint = "funcgrad.diagnose says where it begins" if kind == "nan" else ""
    return "; ".join(filter(None, (words, hint)))


def _of_cotangents(found: Comparison, place: Place) -> str:
    """What the element's error means, by its values under the point's other cotangents."""
    if place.part != GRADIENT:
        return ""
    here = found.rows[place.row].point
    same = [k for k, row in enumerate(found.rows) if found.known[k] and row.point == here]
    at: Any = (np.asarray(same), *place.index)
    sides = (found.expected, found.received, found.allowed)
    return of_cotangents(*(side[GRADIENT][place.leaf][at] for side in sides))


def number(value: Any) -> complex | float:
    """A scalar of Python's own."""
    return complex(value) if np.iscomplexobj(value) else float(value)


def first_index(mask: Array) -> Index:
    """The first element that is marked."""
    return tuple(int(i) for i in np.argwhere(mask)[0])
