"""`check_optimizer`: Optax's own are right, planted faults are found."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

import funcgrad
from funcgrad._errors import ConfigurationError, GradientTypeError, GradientValueError
from funcgrad.verify import Report, check_optimizer

PARAMS = {"w": jnp.arange(6.0).reshape(2, 3) / 3 + 0.1, "b": jnp.zeros(3)}
KEEP = {"w": True, "b": False}
REST = {"w": False, "b": True}
RIGHT = {
    "sgd": optax.sgd(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adam": optax.adam(1e-2),
    "adamw": optax.adamw(1e-2),
    "rmsprop": optax.rmsprop(1e-2),
    "lion": optax.lion(1e-2),
    "adafactor": optax.adafactor(1e-2),
    "lars": optax.lars(0.1),
    "a large rate": optax.sgd(10.0),
    "a tiny rate": optax.adam(1e-6),
    "a schedule": optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.linear_schedule(0.0, 1e-2, 10))
    ),
    "rates in the state": optax.inject_hyperparams(optax.sgd)(learning_rate=0.1, momentum=0.0),
    "apply if finite": optax.apply_if_finite(optax.sgd(0.1), 3),
    "several steps": optax.MultiSteps(optax.sgd(0.1, momentum=0.9), 9).gradient_transformation(),
    "masked": optax.chain(
        optax.masked(optax.adam(1e-2), KEEP), optax.masked(optax.set_to_zero(), REST)
    ),
    "ours": funcgrad.gradient_descent(0.1),
}


# Each takes seconds; the thorough profile has them all.
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


@pytest.mark.parametrize("name", list(RIGHT)[:: 1 if THOROUGH else 4])
def test_a_right_optimiser_is_right(name: str) -> None:
    report = check_optimizer(RIGHT[name], PARAMS)
    assert report.verdict == "right", str(report)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision(dtype: str) -> None:
    params = jax.tree.map(lambda x: x.astype(dtype), PARAMS)
    report = check_optimizer(optax.adamw(1e-2, eps=1e-4), params)
    assert report.verdict == "right", str(report)


def test_an_epsilon_that_half_precision_takes_for_zero_is_found() -> None:
    params = jax.tree.map(lambda x: x.astype("float16"), PARAMS)
    report = check_optimizer(optax.adam(1e-2, eps=1e-8), params)
    assert report.verdict == "wrong"
    assert "not finite at zero gradients" in report.findings[0].message
    assert not any("sign" in finding.meaning for finding in report.findings)


def test_complex_parameters_and_integers() -> None:
    params = {"z": jnp.array([1 + 2j, 0.5j]), "x": jnp.ones(())}
    assert check_optimizer(optax.adam(1e-2), params).ok
    mixed = {"w": jnp.ones(2), "n": jnp.array(3)}
    masked = optax.masked(optax.sgd(0.1), {"w": True, "n": False})
    assert check_optimizer(masked, mixed).ok


# --- planted faults -------------------------------------------------------------------------------

Update = Callable[..., Any]


def momentum(update: Update, init: Any = None) -> optax.GradientTransformation:
    begin = init or (lambda params: {"m": optax.tree.zeros_like(params), "n": jnp.zeros((), int)})
    return optax.GradientTransformation(begin, update)


def right(g: Any, s: Any, _p: Any = None) -> Any:
    m = jax.tree.map(lambda m, g: 0.9 * m + g, s["m"], g)
    return jax.tree.map(lambda m: -0.1 * m, m), {"m": m, "n": s["n"] + 1}


def forgetful(g: Any, s: Any, p: Any = None) -> Any:
    return right(g, s, p)[0], s


def half_forgetful(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return updates, {**state, "m": {**state["m"], "b": s["m"]["b"]}}


def uncounted(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    scaled = jax.tree.map(lambda u: u / (1.0 + s["n"]), updates)
    return scaled, {**state, "n": s["n"]}


def uphill(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return jax.tree.map(jnp.negative, updates), state


def still(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return jax.tree.map(jnp.zeros_like, updates), state


def halved(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return jax.tree.map(lambda u: u.astype("float16"), updates), state


def flat(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return {**updates, "w": updates["w"].reshape(-1)}, state


def less(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return {"w": updates["w"]}, state


def drifting(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return updates, {**state, "n": state["n"].astype("float32")}


def growing(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return updates, {**state, "last": g}


def normalised(g: Any, s: Any, p: Any = None) -> Any:
    return right(jax.tree.map(lambda g: g / jnp.linalg.norm(g), g), s, p)


def in_place(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    s.update(state)
    return updates, s


def branching(g: Any, s: Any, p: Any = None) -> Any:
    updates, state = right(g, s, p)
    return (updates if s["n"] == 0 else jax.tree.map(lambda u: u / 2, updates)), state


def jit_only(g: Any, s: Any, p: Any = None) -> Any:
    factor = 2.0 if isinstance(g["w"], jax.core.Tracer) else 1.0
    return right(jax.tree.map(lambda g: factor * g, g), s, p)


def counting() -> Update:
    calls = [0]

    def update(g: Any, s: Any, p: Any = None) -> Any:
        calls[0] += 1
        return right(jax.tree.map(lambda g: g / calls[0], g), s, p)

    return update


def same_noise(g: Any, s: Any, _p: Any = None) -> Any:
    return jax.tree.map(lambda g: -0.1 * g + 0.01 * jax.random.normal(s, g.shape), g), s


class Opaque:
    """Not a pytree."""


def wrong_rule(g: Any, s: Any, p: Any = None) -> Any:
    @jax.custom_vjp
    def scale(x: Any) -> Any:
        return 2 * x

    scale.defvjp(lambda x: (2 * x, None), lambda _, ct: (ct,))
    return right(jax.tree.map(scale, g), s, p)


def failing(_g: Any, _s: Any, _p: Any = None) -> Any:
    raise RuntimeError("no step today")


FAULTS: dict[str, tuple[optax.GradientTransformation, str, str]] = {
    "state returned as it was": (momentum(forgetful), "state", "not carried on"),
    "one moment forgotten": (momentum(half_forgetful), "state", "not carried on"),
    "a counter forgotten": (momentum(uncounted), "state", "not carried on"),
    "the sign": (momentum(uphill), "descent", "does not descend"),
    "no step": (momentum(still), "descent", "never move"),
    "dtype": (momentum(halved), "dtype", r"float16\[3\] where the parameters have"),
    "shape": (momentum(flat), "structure", r"float32\[6\] where the parameters have"),
    "structure": (momentum(less), "structure", r"it lacks updates\['b'\]"),
    "the state's dtype": (momentum(drifting), "dtype", "turns from int"),
    "the state's structure": (momentum(growing), "structure", r"has state\['last'\]\['b'\]"),
    "NaN at a zero gradient": (momentum(normalised), "nan", "not finite at zero gradients"),
    "in place": (momentum(in_place), "repeat", "changes the state in place"),
    "a Python branch": (momentum(branching), "jit", "fails under jit"),
    "another under jit": (momentum(jit_only), "jit", "another result under jit"),
    "a Python counter": (momentum(counting()), "repeat", "called again"),
    "a key kept": (
        momentum(same_noise, lambda _: jax.random.key(0)),
        "state",
        "not carried on",
    ),
    "no array in the state": (
        momentum(right, lambda p: {**momentum(right).init(p), "o": Opaque()}),
        "structure",
        "no array",
    ),
    "a wrong rule inside": (momentum(wrong_rule), "gradient", "differentiated"),
    "an exception": (momentum(failing), "error", "no step today"),
    "no pair": (momentum(lambda g, _s, _p=None: g), "structure", "the pair"),
}


@pytest.mark.parametrize("name", list(FAULTS)[:: 1 if THOROUGH else 2])
def test_a_planted_fault_is_found(name: str) -> None:
    optimizer, kind, words = FAULTS[name]
    report = check_optimizer(optimizer, PARAMS)
    assert report.verdict == "wrong", str(report)
    finding = next(f for f in report.findings if f.kind == kind)
    assert_matches(finding.message, words)


def assert_matches(message: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(message)


def test_the_twin_of_the_faults_is_right() -> None:
    assert check_optimizer(momentum(right), PARAMS).verdict == "right"


def test_a_fault_has_its_path() -> None:
    (finding, *_) = check_optimizer(momentum(half_forgetful), PARAMS).findings
    assert finding.leaf == "state['m']['b']"
    (finding, *_) = check_optimizer(momentum(flat), PARAMS).findings
    assert finding.leaf == "updates['w']"


# --- remarks, options, mistakes -------------------------------------------------------------------


def remarks(report: Report) -> str:
    assert report.verdict == "right", str(report)
    return "; ".join(finding.message for finding in report.findings)


def test_remarks() -> None:
    assert "linear in the gradient" in remarks(check_optimizer(optax.sgd(0.1), PARAMS))
    adamw = remarks(check_optimizer(optax.adamw(1e-2), PARAMS))
    assert "a zero gradient still moves" in adamw
    assert "needs the parameters" in adamw
    assert "not finite at a zero gradient" in adamw
    injected = optax.inject_hyperparams(optax.sgd)(learning_rate=0.1)
    assert "proportional to state" in remarks(check_optimizer(injected, PARAMS))


def test_a_part_of_a_chain_need_not_descend() -> None:
    part = optax.scale_by_adam()
    assert check_optimizer(part, PARAMS).verdict == "wrong"
    assert check_optimizer(part, PARAMS, descends=False).verdict == "right"


def test_the_derivative_may_be_left_out() -> None:
    wrong = FAULTS["a wrong rule inside"][0]
    assert check_optimizer(wrong, PARAMS, differentiable=False).verdict == "right"


def test_the_report_speaks_of_an_optimiser() -> None:
    report = check_optimizer(optax.sgd(0.1), PARAMS, steps=5)
    lines = str(report).splitlines()
    assert lines[0].startswith("chain: it is right (5 steps, ")
    assert "order" not in str(report)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: check_optimizer(optax.adam, PARAMS), GradientTypeError, r"call it, as in"),
        (lambda: check_optimizer(3, PARAMS), GradientTypeError, r"received 3 of type int"),
        (lambda: check_optimizer(optax.sgd(0.1), {}), GradientTypeError, "no floating leaf"),
        (
            lambda: check_optimizer(optax.sgd(0.1), {"w": jnp.nan}),
            GradientValueError,
            r"params\['w'\] is not finite",
        ),
        (
            lambda: check_optimizer(optax.sgd(0.1), PARAMS, steps=0),
            ConfigurationError,
            "at least 1, but is 0",
        ),
    ],
)
def test_a_mistake_is_told(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
