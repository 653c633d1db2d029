"""A check's report as strict JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._findings import Finding, Report

SCHEMA = 1  # raised when a field goes or changes its meaning; new fields may come at any time


def as_json(report: Report) -> str:
    """The report with every number that it has.

    A complex number is ``{"re": .., "im": ..}``; what JSON has no number for is one of the strings
    "nan", "inf" and "-inf"; an index is a list, and an unknown value null.
    """
    fields = {
        "schema_version": SCHEMA,
        "name": report.name,
        "verdict": report.verdict,
        "ok": report.ok,
        "findings": [_finding(finding) for finding in report.findings],
        "points": report.points,
        "witnesses": report.witnesses,
        "leaves": report.leaves,
        "order": report.order,
        "seed": report.seed,
        "seconds": report.seconds,
        "call": report.call,
    }
    return json.dumps(_plain(fields), indent=2, allow_nan=False)


def _finding(finding: Finding) -> dict[str, Any]:
    fields = finding._asdict()
    estimate = finding.estimate
    fields["difference"] = finding.difference
    fields["estimate"] = None if estimate is None else estimate._asdict()
    return fields


def _plain(value: Any) -> Any:
    """Nested values made of what JSON knows."""
    if value is None or isinstance(value, str | bool | np.bool_):
        return bool(value) if isinstance(value, np.bool_) else value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    array = np.asarray(value)
    if array.ndim:
        return [_plain(item) for item in array]
    return _number(array.item())


def _number(value: Any) -> Any:
    if isinstance(value, complex):
        return {"re": _number(value.real), "im": _number(value.imag)}
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float) else str(value)
