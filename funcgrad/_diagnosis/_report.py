"""A diagnosis as plain text in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 80
_HEADS = {
    "nan": "NaN appears in `{0}`",
    "inf": "infinity appears in `{0}`",
    "input": "a non-finite input enters at `{0}`",
    "constant": "a non-finite constant enters at `{0}`",
    "zero": "the gradient becomes zero in `{0}`",
    "missing": "`{0}` lets no gradient through",
    "vanishing": "the gradient vanishes, most of all in `{0}`",
    "exploding": "the gradient explodes, most of all in `{0}`",
}

_WITHOUT = {
    "input": "a non-finite input is returned",
    "constant": "a non-finite constant is returned",
    "missing": "there is no gradient",
}


def report(
    function: str, findings: Sequence[Any], notes: Sequence[Any], norms: Mapping[str, float]
) -> str:
    """The report: a headline, one paragraph for each finding, the notes, the gradients' sizes."""
    count = f"{len(findings)} finding{'s' if len(findings) != 1 else ''}"
    lines = [f"{function}: {count if findings else 'no findings, the gradient is sound'}"]
    for number, finding in enumerate(findings, 1):
        first, *rest = finding_lines(finding)
        lines += ["", *_wrap(f"{number}. {first}", "", "   "), *rest]
    for note in notes:
        lines += ["", *_note_lines(note)]
    if findings and norms:
        lines += ["", "largest entry of each gradient"]
        lines += [_clip(f"   {value:<12.4g} {name}") for name, value in list(norms.items())[:20]]
        if len(norms) > 20:
            lines.append(f"   ... and {len(norms) - 20} more")
    return "\n".join(lines)


def finding_lines(finding: Any) -> list[str]:
    """The lines of one finding."""
    head = _HEADS[finding.kind].format(finding.primitive)
    phase = f", {finding.phase}" if finding.kind in {"nan", "inf"} else ""
    where = f" ({finding.source or 'unknown line'})"
    if finding.primitive == "none":  # no operation is at fault
        head, where = _WITHOUT.get(finding.kind, head), ""
    lines = [f"{head}{phase}{where}"]
    if finding.code:
        lines.append(_clip(f"     {finding.code}"))
    for place in finding.inside:
        lines += _wrap(f"in {place}")
    for name, value in finding.numbers:
        lines += _wrap(f"{name}: {value}", "   ", "      ")
    if finding.leaves and finding.primitive != "none":
        lines += _wrap(f"reaches: {', '.join(finding.leaves)}", "   ", "      ")
    return [*lines, *_wrap(f"-> {finding.suggestion}", "   ", "      ")]


def _note_lines(note: Any) -> list[str]:
    where = f" ({note.source})" if note.source else ""
    text = f"note: {', '.join(note.leaves)}: {note.suggestion}{where}"
    return _wrap(text, "", "      ")


def _wrap(text: str, first: str = "   ", rest: str = "   ") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def _clip(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
