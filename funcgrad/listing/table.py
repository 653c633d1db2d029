"""What the listing shows: every rule with its formula, and the primitives that have none.

JAX's tables are read for their keys alone: which primitives it differentiates, never how.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from jax.interpreters import ad

from .. import rules as _rules  # noqa: F401 -- fills the registry
from .._formulas import formula
from .._registry import Rule, rules

# Primitives that JAX's tables mention and that no user's program binds to be differentiated, each
# with the reason why it needs no rule here.
_CELL = "references are replaced by what they hold while a tape is recorded"
_LOG = "a channel in which JAX's library logs, without a differentiable value"
INTERNAL = {
    **dict.fromkeys(["new_ref", "empty_ref", "free_ref", "freeze", "get", "swap"], _CELL),
    **dict.fromkeys(["addupdate", "accum_grad_in_ref"], _CELL),
    **dict.fromkeys(["new_box", "box_get", "box_set", "new_log", "log_read", "log_extend"], _LOG),
    "custom_lin": "what JAX's forward mode makes of a custom_vjp call, which is recorded as such",
    "call": "a call that JAX evaluates before a user's trace sees it",
    "closed_call": "likewise",
    "core_call": "likewise",
    "eval_jaxpr": "likewise",
    "stage": "the identity by which JAX lifts a constant into a trace",
}


class Entry(NamedTuple):
    """One primitive with its rule."""

    name: str
    family: str
    formula: str
    where: str


def entries() -> list[Entry]:
    """Every primitive of the table, by name."""
    found = [_entry(rule) for rule in rules().values()]
    return sorted(found, key=lambda entry: (entry.name, entry.where))


def _entry(rule: Rule) -> Entry:
    path, _, line = rule.where.rpartition(":")
    where = f"{Path(path).parent.name}/{Path(path).name}:{line}"
    return Entry(str(rule.primitive), rule.family, formula(rule), where)


def missing() -> list[str]:
    """The primitives that JAX can differentiate in reverse mode and that have no rule."""
    known = set(rules())
    theirs: set[Any] = {*ad.primitive_jvps, *ad.primitive_transposes}
    return sorted(str(p) for p in theirs - known if str(p) not in INTERNAL)
