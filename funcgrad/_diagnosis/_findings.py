"""What a diagnosis says, as immutable data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ._report import finding_lines, report


class Finding(NamedTuple):
    """One thing that is wrong with a gradient, and where it begins.

    Attributes:
        kind: "nan" or "inf" (a non-finite number), "input" or "constant" (it came in from
            outside), "zero" (a gradient that is exactly zero), "missing" (no path for it),
            "vanishing" or "exploding".
        phase: "forward" or "backward": where the number appears.
        primitive: the innermost primitive at fault.
        source: the user's line, ``file.py:17``.
        suggestion: what to do.
        code: the text of that line.
        leaves: the inputs that are reached, as one would write them.
        inside: the loops around it, such as ``scan, iteration 3 of 10``, counted from 1.
        numbers: what was seen: operands, incoming cotangent, local partial, counts.

    >>> import jax, funcgrad
    >>> (found,) = funcgrad.diagnose(lambda x: jax.numpy.log(x), 0.0).findings
    >>> found.kind, found.phase, found.primitive, found.leaves
    ('inf', 'forward', 'log', ('x',))
    """

    kind: str
    phase: str
    primitive: str
    source: str
    suggestion: str
    code: str = ""
    leaves: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    numbers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return "\n".join(finding_lines(self))

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain data."""
        return {**self._asdict(), "numbers": dict(self.numbers)}


@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis:
    """What `diagnose` found; `str()` of it is the report.

    Attributes:
        findings: what is wrong; empty when all is well.
        notes: zero or missing gradients that are likely to be intended.
        function: the name of the function.
        norms: for each input that can carry a gradient the largest entry of its gradient.

    >>> import jax, funcgrad
    >>> funcgrad.diagnose(jax.numpy.sin, 0.5)
    <diagnosis of sin: no findings>
    """

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...] = ()
    function: str = "f"
    norms: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __str__(self) -> str:
        return report(self.function, self.findings, self.notes, dict(self.norms))

    def __repr__(self) -> str:
        kinds = ", ".join(f"{f.kind} in {f.primitive} at {f.source}" for f in self.findings)
        return f"<diagnosis of {self.function}: {kinds or 'no findings'}>"

    def to_json(self) -> str:
        """The whole diagnosis as JSON; non-finite norms are written as text."""
        norms = {name: value if abs(value) < float("inf") else str(value)
                 for name, value in self.norms.items()}  # fmt: skip
        data = {
            "function": self.function,
            "ok": self.ok,
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": [finding.to_dict() for finding in self.notes],
            "norms": norms,
        }
        return json.dumps(data, indent=2)
