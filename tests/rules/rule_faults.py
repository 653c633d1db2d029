"""Wrong rules, put into the table in the place of right ones: what every comparison must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from funcgrad import _registry, _reverse, _segments, _staging
from funcgrad._registry import Pullback, Rule
from funcgrad._reverse import times_partial
from funcgrad._tape import Step

Change = Callable[[Any], Any]


@contextmanager
def planted(rule: Rule) -> Iterator[None]:
    """The table with one rule replaced; nothing that was made with another table is kept."""
    _forget()
    try:
        with mock.patch.dict(_registry._RULES, {rule.primitive: rule}):
            yield
    finally:
        _forget()


def _forget() -> None:
    _registry.plan.cache_clear()
    _staging._MADE.clear()
    _segments._PROGRAMS.clear()


def with_functions(rule: Rule, functions: dict[int, Callable[..., Any]]) -> Rule:
    """The rule with other functions ``(cotangent, output, *operands, **params)`` for operands.

    They are handed every value, and the parameters that the replaced ones take.
    """
    general = as_general(rule)
    pulls = list(general.pullbacks)
    for operand, function in functions.items():
        pull = pulls[operand]
        assert pull is not None
        reads = tuple(True for _ in pull.reads_operands)
        pulls[operand] = pull._replace(
            function=function, reads_output=True, reads_operands=reads, reads_rest=True
        )
    return general._replace(pullbacks=tuple(pulls))


def changed(rule: Rule, operand: int, change: Change) -> Rule:
    """The rule with the cotangent of one operand changed."""
    if rule.family in {"joint", "structured"}:
        (pull,) = rule.pullbacks
        assert pull is not None
        return rule._replace(pullbacks=(_changed_among(pull, operand, change),))
    general = as_general(rule)
    pulls = list(general.pullbacks)
    pull = pulls[operand]
    assert pull is not None
    pulls[operand] = pull._replace(function=_after(pull.function, change))
    return general._replace(pullbacks=tuple(pulls))


def operands_reached(rule: Rule, run: Callable[[], Any]) -> list[int]:
    """The operands to which the rule gives a cotangent with entries while `run` runs."""
    reached: set[int] = set()
    pull = _reverse.pull

    def noting(step: Step, arriving: Sequence[Any]) -> Sequence[Any]:
        results = pull(step, arriving)
        if step.primitive is rule.primitive:
            given = enumerate(zip(step.needed, results, strict=True))
            reached.update(i for i, (wanted, ct) in given if wanted and ct is not None and ct.size)
        return results

    with planted(rule), mock.patch.object(_reverse, "pull", noting):
        run()
    return sorted(reached)


def as_general(rule: Rule) -> Rule:
    """An elementwise rule in the form that is handed the cotangent; others as they are."""
    if rule.family != "elementwise":
        return rule
    pulls = [None if pull is None else _with_cotangent(pull) for pull in rule.pullbacks]
    return rule._replace(family="general", pullbacks=tuple(pulls))


def _with_cotangent(pull: Pullback) -> Pullback:
    def pulled(ct: Any, y: Any, /, *operands: Any, **params: Any) -> Any:
        return times_partial(ct, pull.function(y, *operands, **params))

    return pull._replace(function=pulled)


def _after(function: Callable[..., Any], change: Change) -> Callable[..., Any]:
    return lambda *args, **params: change(function(*args, **params))


def _changed_among(pull: Pullback, operand: int, change: Change) -> Pullback:
    """Of a function that returns the cotangents of all operands."""

    def pulled(*args: Any, **params: Any) -> list[Any]:
        results = list(pull.function(*args, **params))
        if operand < len(results) and results[operand] is not None:
            results[operand] = change(results[operand])
        return results

    return pull._replace(function=pulled)
