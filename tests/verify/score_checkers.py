"""The gradient checkers that are compared, each with its default options."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.test_util import check_grads

from tests.verify.corpus.cases import Problem


class Said(NamedTuple):
    """A verdict, and in a line why."""

    verdict: str
    note: str = ""


Checker = Callable[[Problem], Said]


def by_funcgrad(problem: Problem) -> Said:
    """`funcgrad.check`; an exception is a crash."""
    check: Any = importlib.import_module("funcgrad").check
    given = {} if problem.gradient is None else {"gradient": problem.gradient}
    report = check(problem.function, *problem.args, **given, **problem.kwargs)
    worst = next((f.message for f in report.findings if f.verdict == report.verdict), "")
    return Said(report.verdict, worst)


def by_check_grads(order: int, problem: Problem) -> Said:
    """`jax.test_util.check_grads` in reverse mode; whatever it raises is its refusal."""
    try:
        check_grads(differentiable(problem), problem.args, order=order, modes=["rev"])
    except Exception as error:  # a checker that fails on a function has refused it
        return Said("wrong", f"{type(error).__name__}: {first_line(error)}")
    return Said("right")


def differentiable(problem: Problem) -> Callable[..., Any]:
    """The function, with its hand-written gradient as its derivative rule if it has one."""
    function = partial(problem.function, **problem.kwargs)
    by_hand = problem.gradient
    if by_hand is None:
        return function

    def plain(*args: Any) -> Any:
        return function(*args)

    def backward(args: Any, ct: Any) -> tuple[Any, ...]:
        gradients = by_hand(*args, **problem.kwargs)
        among = tuple(gradients) if len(args) > 1 else (gradients,)
        return tuple(jax.tree.map(lambda g: g * ct, leaf) for leaf in among)

    ruled = jax.custom_vjp(plain)
    ruled.defvjp(lambda *args: (plain(*args), args), backward)
    return ruled


def first_line(error: BaseException) -> str:
    """The first line of a message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:160] if lines else ""


def is_float(leaf: Any) -> bool:
    """Whether an input or output is differentiated."""
    return bool(jnp.issubdtype(jnp.result_type(leaf), jnp.inexact))


def checker(name: str) -> Checker | str:
    """The checker, or in a line why it cannot run here."""
    if name == "funcgrad":
        has = hasattr(importlib.import_module("funcgrad"), "check")
        return by_funcgrad if has else "skipped: funcgrad.check is not there"
    if name in ("check_grads1", "check_grads2"):
        return partial(by_check_grads, int(name[-1]))
    if importlib.util.find_spec("torch") is None:
        return "skipped: gradcheck needs PyTorch beside JAX in one environment"
    bridge: Checker = importlib.import_module("tests.verify.score_torch").by_gradcheck
    return bridge
